import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { podTemplate } from "../../charts/pod.ts";
import { groupStatefulSet } from "../../charts/render.ts";
import { hardwareKinds, runtimes, variants } from "../../crds/names.ts";
import { type PlatformSpec, platformSpec } from "../../crds/platform.ts";
import { podSecurity, podSecurityLevels } from "../../synth/pod-security.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import { bootServer, eventually, run, stopServer } from "../api/server.ts";
import { askApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { accepted, planOf } from "../unit/synth/requests.ts";

let server: ControlPlane;
beforeAll(async () => {
  server = await bootServer();
  // One namespace for each level, called after it.
  for (const level of podSecurityLevels) {
    await run(server, ["create", "namespace", level]);
    await run(server, ["label", "namespace", level, `pod-security.kubernetes.io/enforce=${level}`]);
    const account = `/api/v1/namespaces/${level}/serviceaccounts/default`;
    await eventually(
      30,
      async () => (await askApi(server, account)).status,
      (status) => status === 200,
    );
  }
});
afterAll(() => stopServer(server));

const templateOf = z.object({
  spec: z.object({ template: z.object({ metadata: z.looseObject({}), spec: z.looseObject({}) }) }),
});

/** What a namespace says to a rank of the plan; empty when it takes it. */
async function refusal(plan: ServingPlan, namespace: string): Promise<string> {
  const group = groupStatefulSet({ plan, groupId: 0, revision: "r1", template: podTemplate(plan, "r1") });
  const { metadata, spec } = templateOf.parse(group).spec.template;
  const pod = { metadata: { ...metadata, name: "rank" }, spec };
  const path = `/api/v1/namespaces/${namespace}/pods?dryRun=All`;
  const { status, body } = await askApi(server, path, { method: "POST", body: pod });
  if (status === 201) return "";
  if (status !== 403) throw new Error(`POST ${path} answered ${status}: ${body}`);
  return JSON.parse(body).message;
}

/** The levels whose namespaces take it. */
async function takenBy(plan: ServingPlan): Promise<string[]> {
  const refusals = await Promise.all(podSecurityLevels.map((level) => refusal(plan, level)));
  return podSecurityLevels.filter((_, index) => refusals[index] === "");
}

const platformOf = (spec: object): PlatformSpec => platformSpec.parse(spec);
const user = platformOf({ images: { registry: "registry.example.com", runAsUser: 1000 } });

const combinations = variants.flatMap((variant) =>
  hardwareKinds.flatMap((hardware) => runtimes.map((runtime) => ({ variant, hardware, runtime }))),
);

describe("on a platform that says nothing of it", () => {
  test("ranks of every combination of the catalogue pass level baseline", async () => {
    const plans = combinations.flatMap((spec) => {
      const result = planOf(spec);
      return result.accepted ? [result.plan] : [];
    });
    expect(plans.length).toBeGreaterThan(50);
    for (const plan of plans) expect(await takenBy(plan)).toEqual(["baseline", "privileged"]);
  });

  test("what keeps them from level restricted is the user of the published images, and nothing else", async () => {
    const told = await refusal(accepted({ variant: "MiMo-V2.5-Pro", hardware: "GB300" }), "restricted");
    expect(told).toMatch(/restricted:latest": runAsNonRoot != true \([^)]*\)$/);
  });
});

describe("on a platform whose images run as a user of their own", () => {
  test("ranks of every pair pass level restricted", async () => {
    for (const variant of variants)
      for (const hardware of hardwareKinds)
        expect(await refusal(accepted({ variant, hardware }, user), "restricted")).toBe("");
  });

  test("the user may write to its volumes", () => {
    const { securityContext } = podTemplate(
      accepted({ variant: "MiMo-V2-Flash", hardware: "H200" }, user),
      "r1",
    ).spec;
    expect(securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 });
  });
});

const rdma = { kind: "H200", fabric: { resources: { "rdma/ib": "1" } } };
const nodeNetwork = { kind: "H200", fabric: { interface: "bond0", hostNetwork: { httpPort: 19_000 } } };
const twoNodes = { variant: "MiMo-V2.5-Pro", hardware: "H200" };
const oneNode = { variant: "MiMo-V2-Flash", hardware: "H200" };

/** Every setting of a platform that has to do with Pod Security, and what the levels refuse about it. */
const settings = [
  [
    "RDMA",
    { hardware: [rdma] },
    twoNodes,
    /must not include \\?"IPC_LOCK\\?" in securityContext\.capabilities\.add\)$/,
  ],
  ["RDMA, for a group that needs none", { hardware: [rdma] }, oneNode, undefined],
  [
    "the node's network",
    { hardware: [nodeNetwork] },
    twoNodes,
    /: host namespaces \(hostNetwork=true\), hostPort \(container "sglang" uses hostPort 19000\)$/,
  ],
  [
    "a store on the nodes",
    { modelStore: { hostPath: { path: "/mnt/models" } } },
    oneNode,
    /: hostPath volumes \(volume "model"\)$/,
  ],
  [
    "caches on the nodes",
    { cacheVolume: { hostPath: { path: "/mnt/cache" } } },
    oneNode,
    /: hostPath volumes \(volume "cache"\)$/,
  ],
  [
    "a folder of the nodes that a deployment names",
    { allowedHostPaths: ["/mnt"] },
    { ...oneNode, model: { hostPath: { path: "/mnt/m" } } },
    /: hostPath volumes \(volume "model"\)$/,
  ],
  [
    "store and caches in claims",
    {
      modelStore: { persistentVolumeClaim: { claimName: "m" } },
      cacheVolume: { persistentVolumeClaim: { claimName: "c" } },
    },
    oneNode,
    undefined,
  ],
  [
    "a checkpoint in an image",
    {},
    { ...oneNode, model: { image: { reference: "registry.example.com/m:1" } } },
    undefined,
  ],
  ["gangs", { queue: { system: "Volcano" } }, twoNodes, undefined],
] as const;

describe("the level that is foretold is the one that the API server keeps to:", () => {
  test.each(settings)("%s", async (_, platform, spec, told) => {
    for (const images of [{}, user.images]) {
      const plan = accepted(spec, platformOf({ ...platform, images }));
      const { level, exceptions } = podSecurity(plan);
      expect(await takenBy(plan)).toEqual(podSecurityLevels.slice(podSecurityLevels.indexOf(level)));
      if (told === undefined) {
        expect(exceptions).toEqual([]);
        continue;
      }
      expect(exceptions).toHaveLength(1);
      expect(await refusal(plan, "baseline")).toMatch(told);
      expect(plan.warnings.join("\n")).toContain(
        `gets no pods, since by MiMoPlatform they have ${exceptions[0]}: label it`,
      );
    }
  });
});
