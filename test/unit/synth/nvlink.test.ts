import { describe, expect, test } from "vitest";
import { groupStatefulSet, renderDeployment } from "../../../charts/render.ts";
import { freeze } from "../../../charts/revision.ts";
import type { DeploymentSpec } from "../../../crds/deployment.ts";
import type { PlatformSpec } from "../../../crds/platform.ts";
import { planDeployment } from "../../../synth/plan.ts";
import type { ServingPlan } from "../../../synth/serving-plan.ts";

const pro = { variant: "MiMo-V2.5-Pro", hardware: "GB300", replicas: 1 } as const;
const onPlatform = (settings: object): PlatformSpec => ({ hardware: [{ kind: "GB300", ...settings }] });
const resultOf = (spec: DeploymentSpec, platform?: PlatformSpec) =>
  planDeployment({ name: "pro", namespace: "team-a", spec }, platform);
function accepted(spec: DeploymentSpec, platform?: PlatformSpec): ServingPlan {
  const result = resultOf(spec, platform);
  if (!result.accepted) throw new Error(JSON.stringify(result.refusals));
  return result.plan;
}

describe("NVLink between nodes", () => {
  test("is used where a group spans nodes of a rack: environment, claim, domain and ComputeDomain together", () => {
    const plan = accepted(pro);
    expect(plan.nvlink).toEqual({ domainLabel: "nvidia.com/gpu.clique" });
    expect(plan.env).toMatchObject({ NCCL_MNNVL_ENABLE: "1", NCCL_CUMEM_ENABLE: "1" });
    const objects = renderDeployment({ plan, replicas: 2 });
    const names = objects.filter(({ kind }) => kind === "ComputeDomain").map(({ metadata }) => metadata.name);
    expect(names).toEqual(["pro-0", "pro-1"]);
    expect(objects.find(({ kind }) => kind === "ComputeDomain")).toMatchObject({
      apiVersion: "resource.nvidia.com/v1beta1",
      metadata: { name: "pro-0", namespace: "team-a" },
      spec: { numNodes: 0, channel: { resourceClaimTemplate: { name: "pro-0-channel" } } },
    });
    const { template } = freeze(plan);
    // The template names no group.
    expect(JSON.stringify(template)).not.toContain("pro-0");
    expect(groupStatefulSet({ plan, revision: "r", groupId: 3, template })).toMatchObject({
      spec: {
        template: {
          spec: {
            resourceClaims: [{ name: "compute-domain-channel", resourceClaimTemplateName: "pro-3-channel" }],
            containers: [{ resources: { claims: [{ name: "compute-domain-channel" }] } }],
            affinity: {
              podAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "nvidia.com/gpu.clique" }],
              },
            },
          },
        },
      },
    });
  });

  test.each([
    ["by the request", { ...pro, fabric: { mnnvl: "Off" } }, undefined],
    ["by the platform", pro, onPlatform({ mnnvl: "Off" })],
  ] as const)(
    "off %s leaves out all of it, switches NCCL's own search off, and warns",
    (_, spec, platform) => {
      const plan = accepted(spec, platform);
      expect(plan.nvlink).toBeUndefined();
      expect(plan.env).toMatchObject({ NCCL_MNNVL_ENABLE: "0" });
      expect(plan.env).not.toHaveProperty("NCCL_CUMEM_ENABLE");
      expect(plan.warnings.join("\n")).toContain("talk over the network");
      const rendered = JSON.stringify(renderDeployment({ plan, replicas: 1 }));
      expect(rendered).not.toMatch(/ComputeDomain|resourceClaims|podAffinity|"claims"/);
    },
  );

  test("on insists against the platform's default, and takes its label", () => {
    const platform = onPlatform({ mnnvl: "Off", nvlinkDomainLabel: "ds.coreweave.com/nvlink.domain" });
    const plan = accepted({ ...pro, fabric: { mnnvl: "On" } }, platform);
    expect(plan.nvlink).toEqual({ domainLabel: "ds.coreweave.com/nvlink.domain" });
  });

  test.each([
    ["of one node", { variant: "MiMo-V2.5", hardware: "GB300", replicas: 1 }],
    ["on other hardware", { variant: "MiMo-V2.5-Pro", hardware: "H200", replicas: 1 }],
  ] as const)("is nothing for groups %s: Auto and Off change nothing, On is refused", (_, spec) => {
    const plan = accepted(spec);
    expect(plan.nvlink).toBeUndefined();
    expect(plan.env).not.toHaveProperty("NCCL_MNNVL_ENABLE");
    expect(accepted({ ...spec, fabric: { mnnvl: "Off" } })).toEqual(plan);
    expect(resultOf({ ...spec, fabric: { mnnvl: "On" } })).toMatchObject({
      accepted: false,
      refusals: [{ code: "MnnvlUnavailable", field: "spec.fabric.mnnvl" }],
    });
  });
});
