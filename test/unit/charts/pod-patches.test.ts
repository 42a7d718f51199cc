import { describe, expect, test } from "vitest";
import { acceptDeployment } from "../../../charts/accept.ts";
import { podTemplate } from "../../../charts/pod.ts";
import { patchTemplate } from "../../../charts/pod-patches.ts";
import { renderDeployment } from "../../../charts/render.ts";
import { freeze } from "../../../charts/revision.ts";
import { deploymentSpec, type PodPatch } from "../../../crds/deployment.ts";
import type { PlatformSpec } from "../../../crds/platform.ts";
import { servingPlan, twoNodePlan } from "./plans.ts";

const patch = (op: PodPatch["op"], path: string, value?: unknown): PodPatch => ({
  op,
  path,
  ...(value !== undefined && { value: JSON.stringify(value) }),
});
const template = podTemplate(twoNodePlan({ env: { NCCL_DEBUG: "INFO" } }), "r1");

/** The reasons of a refusal, "code field: message", or nothing. */
function refusalOf(...patches: PodPatch[]): string | undefined {
  const patched = patchTemplate(template, patches);
  return patched.ok
    ? undefined
    : `${patched.refusal.code} ${patched.refusal.field}: ${patched.refusal.message}`;
}

function specOf(...patches: PodPatch[]) {
  const patched = patchTemplate(template, patches);
  if (!patched.ok) throw new Error(patched.refusal.message);
  return patched.template.spec;
}

const aliases = [{ ip: "10.0.0.7", hostnames: ["proxy.example.com"] }];
const sidecar = { name: "proxy", image: "proxy:1", restartPolicy: "Always" };

describe("patches of a pod template", () => {
  test("are applied one after the other, and leave the rest and the original alone", () => {
    const original = structuredClone(template);
    const spec = specOf(
      patch("add", "/spec/hostAliases", aliases),
      patch("add", "/spec/hostAliases/0/hostnames/-", "second.example.com"),
      patch("test", "/spec/enableServiceLinks", false),
      patch("replace", "/spec/containers/0/securityContext/allowPrivilegeEscalation", true),
      patch("remove", "/spec/containers/0/lifecycle"),
      patch("add", "/spec/initContainers", [sidecar]),
      patch("add", "/spec/containers/0/env/-", { name: "PROXY", value: "proxy" }),
    );
    const [server] = template.spec.containers;
    expect(spec).toEqual({
      ...template.spec,
      hostAliases: [{ ip: "10.0.0.7", hostnames: ["proxy.example.com", "second.example.com"] }],
      initContainers: [sidecar],
      containers: [
        {
          ...server,
          env: [...(server?.env ?? []), { name: "PROXY", value: "proxy" }],
          securityContext: { ...server?.securityContext, allowPrivilegeEscalation: true },
          lifecycle: undefined,
        },
      ],
    });
    expect(template).toEqual(original);
  });

  test.each([
    ["replaces what isn't there", patch("replace", "/spec/hostAlias", []), "nothing at /spec/hostAlias of"],
    ["removes what isn't there", patch("remove", "/spec/volumes/9"), "nothing at /spec/volumes/9 of"],
    [
      "adds below what isn't there",
      patch("add", "/spec/dnsConfig/options", []),
      "nothing at /spec/dnsConfig of",
    ],
    [
      "adds beyond the end of a list",
      patch("add", "/spec/volumes/9", {}),
      "/spec/volumes is a list of 3: write /spec/volumes/- to",
    ],
    ["counts with a zero in front", patch("remove", "/spec/volumes/00"), "nothing at /spec/volumes/00 of"],
    [
      "replaces what all objects have",
      patch("replace", "/spec/constructor", 1),
      "nothing at /spec/constructor of",
    ],
    [
      "shortens a list by its length",
      patch("replace", "/spec/volumes/length", 0),
      "nothing at /spec/volumes/length of",
    ],
    [
      "expects another value",
      patch("test", "/spec/enableServiceLinks", true),
      "test /spec/enableServiceLinks can't be applied: Test operation failed",
    ],
    [
      "reaches for what all objects have",
      patch("add", "/spec/__proto__", { a: 1 }),
      "add /spec/__proto__ can't be applied: ",
    ],
  ])("one that %s is refused by its number and with the place", (_, wrong, told) => {
    expect(refusalOf(patch("add", "/spec/hostAliases", aliases), wrong)).toContain(
      `PatchInvalid spec.podTemplate.patches[1]: `,
    );
    expect(refusalOf(patch("add", "/spec/hostAliases", aliases), wrong)).toContain(told);
  });

  const [server] = template.spec.containers;
  test.each([
    ["the command line", patch("add", "/spec/containers/0/command/-", "--tp=1"), "use spec.server.extraArgs"],
    ["arguments behind it", patch("add", "/spec/containers/0/args", ["--tp=1"]), "use spec.server.extraArgs"],
    [
      "the command line, with all of its container",
      patch("replace", "/spec/containers/0", { ...server, command: ["sh"] }),
      "use spec.server.extraArgs",
    ],
    ["the image", patch("replace", "/spec/containers/0/image", "mine:1"), "use spec.image"],
    [
      "the container's name",
      patch("replace", "/spec/containers/0/name", "mine"),
      "the operator knows the server by it",
    ],
    [
      "the server's place",
      patch("add", "/spec/containers/0", sidecar),
      "the operator knows the server by it",
    ],
    [
      "the number of containers",
      patch("add", "/spec/containers/-", sidecar),
      "add another to /spec/initContainers",
    ],
    ["all containers", patch("remove", "/spec/containers"), "is the plan's"],
    ["the restart policy", patch("add", "/spec/restartPolicy", "Never"), "is started again"],
    ["the gates", patch("remove", "/spec/schedulingGates"), "the operator opens them"],
    ["the claims of the pod", patch("add", "/spec/resourceClaims", []), "claims follow spec.hardware"],
    [
      "the claims of the server",
      patch("add", "/spec/containers/0/resources/claims", [{ name: "a" }]),
      "use spec.resources",
    ],
    [
      "the GPUs",
      patch("replace", "/spec/containers/0/resources/limits/nvidia.com~1gpu", "1"),
      "use spec.resources",
    ],
    [
      "claims of another container",
      patch("add", "/spec/initContainers", [{ ...sidecar, resources: { claims: [] } }]),
      "claims and GPUs are the server's",
    ],
    [
      "GPUs of another container",
      patch("add", "/spec/initContainers", [{ ...sidecar, resources: { limits: { "nvidia.com/gpu": 1 } } }]),
      "claims and GPUs are the server's",
    ],
    ["the nodes", patch("add", "/spec/nodeSelector/zone", "a"), "use spec.scheduling"],
    ["the priority", patch("add", "/spec/priorityClassName", "high"), "use spec.scheduling"],
    ["the network", patch("add", "/spec/hostNetwork", true), "MiMoPlatform hardware[].fabric"],
    [
      "a variable of the plan",
      patch("replace", "/spec/containers/0/env/0/name", "MINE"),
      "variable GROUP_ID is the plan's",
    ],
    [
      "a variable of the plan, by a second one",
      patch("add", "/spec/containers/0/env/-", { name: "NODE_RANK", value: "0" }),
      "variable NODE_RANK is the plan's: it follows spec.variant",
    ],
    [
      "a variable of the request",
      patch("remove", "/spec/containers/0/env/4"),
      "variable NCCL_DEBUG is the plan's: use spec.server.extraEnv",
    ],
    [
      "variables that nobody has seen",
      patch("add", "/spec/containers/0/envFrom", [{ secretRef: { name: "mine" } }]),
      "patch single variables into env",
    ],
    [
      "a variable that this plan leaves alone",
      patch("add", "/spec/containers/0/env/-", { name: "HF_HUB_OFFLINE", value: "0" }),
      "variable HF_HUB_OFFLINE is the plan's: it follows the model's source",
    ],
  ])("never change %s", (_, owned, told) => {
    expect(refusalOf(owned)).toContain("PatchOwned spec.podTemplate.patches[0]: ");
    expect(refusalOf(owned)).toContain(told);
  });
});

describe("a request with patches", () => {
  const request = (patches: readonly PodPatch[]) => ({
    name: "flash",
    namespace: "team-a",
    spec: deploymentSpec.parse({ variant: "MiMo-V2-Flash", hardware: "H200", podTemplate: { patches } }),
  });
  const codes = (patches: readonly PodPatch[], platform?: PlatformSpec) => {
    const result = acceptDeployment(request(patches), platform);
    return result.accepted ? [] : result.refusals.map(({ code, field }) => `${code} ${field}`);
  };
  const add = patch("add", "/spec/hostAliases", aliases);

  test("is refused where the platform allows no part of pods, or other parts", () => {
    expect(codes([add])).toEqual(["NotAllowed spec.podTemplate.patches[0].path"]);
    expect(codes([add], { allowedPodTemplatePaths: ["/spec/host", "/spec/hostAliases/0"] })).toHaveLength(1);
    expect(codes([add], { allowedPodTemplatePaths: ["/spec"] })).toEqual([]);
    expect(codes([add], { allowedPodTemplatePaths: ["/spec/hostAliases"] })).toEqual([]);
  });

  test("is refused for a value that is not JSON, and for a patch that doesn't fit its pods", () => {
    const platform = { allowedPodTemplatePaths: ["/spec"] };
    const text: PodPatch = { op: "replace", path: "/spec/dnsPolicy", value: "Default" };
    expect(codes([add, text], platform)).toEqual(["PatchInvalid spec.podTemplate.patches[1].value"]);
    expect(codes([add, patch("remove", "/spec/dnsPolicy")], platform)).toEqual([
      "PatchInvalid spec.podTemplate.patches[1]",
    ]);
  });

  test("gets pods with them in every group, and a revision of its own", () => {
    const result = acceptDeployment(request([add]), { allowedPodTemplatePaths: ["/spec"] });
    if (!result.accepted) throw new Error("refused");
    const groups = renderDeployment({ plan: result.plan, replicas: 2 }).filter(
      ({ kind }) => kind === "StatefulSet",
    );
    expect(groups).toHaveLength(2);
    for (const group of groups) {
      expect(group).toMatchObject({ spec: { template: { spec: { hostAliases: aliases } } } });
    }
    const { podPatches: _, ...without } = result.plan;
    expect(freeze(result.plan).revision).not.toBe(freeze(without).revision);
  });

  test("with none of them is the same as one without the field", () => {
    const result = acceptDeployment(request([]), undefined);
    expect(result.accepted && "podPatches" in result.plan).toBe(false);
    expect(freeze(servingPlan({ podPatches: [] })).revision).toBe(freeze(servingPlan()).revision);
  });
});
