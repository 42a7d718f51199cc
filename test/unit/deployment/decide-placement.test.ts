import { describe, expect, test } from "vitest";
import { computeDomainFinalizer, labels, schedulingGate } from "../../../charts/names.ts";
import { computeDomain, groupStatefulSet, sharedObjects } from "../../../charts/render.ts";
import { freeze } from "../../../charts/revision.ts";
import { deploymentSpec } from "../../../crds/deployment.ts";
import { conditionsOf } from "../../../operator/deployment/conditions.ts";
import { type Decision, decide } from "../../../operator/deployment/decide.ts";
import { specHash } from "../../../operator/deployment/frozen.ts";
import type { Group } from "../../../operator/deployment/groups.ts";
import { childView, computeDomainView, type Node, podView } from "../../../operator/deployment/objects.ts";
import type { Observed } from "../../../operator/deployment/observed.ts";
import { cleanRecovery, recoveryPolicy } from "../../../operator/deployment/recovery.ts";
import { planDeployment } from "../../../synth/plan.ts";
import { uneventful } from "./fixtures.ts";

const spec = deploymentSpec.parse({ variant: "MiMo-V2.5-Pro", hardware: "GB300", replicas: 2 });
const result = planDeployment({ name: "pro", namespace: "team-a", spec }, undefined);
if (!result.accepted) throw new Error("the pair is refused");
const { plan } = result;
const { revision: hash, template } = freeze(plan);
const owner = {
  apiVersion: "mimo.dev/v1alpha1",
  kind: "MiMoDeployment",
  name: "pro",
  uid: "owner",
  controller: true,
};
const stored = { uid: "uid", resourceVersion: "1" };

/** All ranks wait at the gate. */
function gatedGroup(id: number): Group {
  const rendered = groupStatefulSet({ plan, revision: hash, groupId: id, template, owner });
  const pods = [0, 1].map((rank) =>
    podView.parse({
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        ...stored,
        name: `pro-${id}-${rank}`,
        uid: `${id}-${rank}`,
        labels: { [labels.revision]: hash },
      },
      spec: { schedulingGates: [{ name: schedulingGate }], affinity: {} },
    }),
  );
  return {
    id,
    revision: hash,
    ranks: 2,
    statefulSet: childView.parse({
      ...rendered,
      metadata: { ...rendered.metadata, ...stored, uid: `sts-${id}` },
    }),
    pods,
    formation: undefined,
    recovery: cleanRecovery(hash),
    restart: undefined,
    baseline: undefined,
    progress: undefined,
    queued: undefined,
    stopping: undefined,
  };
}

const node = (name: string, clique: string): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: {
    ...stored,
    name,
    labels: {
      "nvidia.com/gpu.product": "NVIDIA-GB300",
      "kubernetes.io/arch": "arm64",
      "nvidia.com/gpu.clique": clique,
    },
  },
  spec: {},
  status: { gpus: 4, conditions: [{ type: "Ready", status: "True" }] },
});

const domains = [0, 1].map((groupId) =>
  computeDomainView.parse({
    ...computeDomain({ plan, groupId, ownerUid: owner.uid }),
    metadata: { ...computeDomain({ plan, groupId, ownerUid: owner.uid })?.metadata, ...stored },
  }),
);

function observed(nodes: readonly Node[], state: Partial<Observed> = {}): Observed {
  const revision = { hash, number: 1, specHash: specHash(spec), plan, template, failed: undefined };
  return {
    ...uneventful,
    name: "pro",
    namespace: "team-a",
    owner,
    finalizers: [computeDomainFinalizer],
    annotations: {},
    spec: { ok: true, value: spec },
    status: { nextGroupId: 2 },
    platform: { ok: true, value: undefined },
    revisions: [{ ...revision, object: undefined }],
    groups: [gatedGroup(0), gatedGroup(1)],
    children: sharedObjects(plan, owner).map((each) =>
      childView.parse({ ...each, metadata: { ...each.metadata, ...stored } }),
    ),
    computeDomains: domains,
    occupied: new Set(["pro-0", "pro-1"]),
    capacity: { nodes, held: new Map(), reservations: [] },
    nodes: new Map(),
    now: Date.parse("2026-11-26T00:00:00Z"),
    ...state,
  };
}
const written = ({ stages }: Decision): string[] =>
  stages
    .flat()
    .map((step) => `${step.do} ${"name" in step ? step.name : step.object.metadata.name}: ${step.reason}`);
const placementReady = (facts: Observed, decision: Decision): unknown =>
  conditionsOf({
    name: "pro",
    namespace: "team-a",
    generation: 1,
    decision,
    obstacle: undefined,
    groups: facts.groups,
    policy: recoveryPolicy(undefined),
  }).find(({ type }) => type === "PlacementReady");

describe("groups at the gate", () => {
  test("of one deployment don't count on the same nodes: one is put on record, the other waits with the numbers", () => {
    const facts = observed([node("a0", "a"), node("a1", "a"), node("b0", "b")]);
    const decision = decide(facts);
    expect(written(decision)).toEqual(["patch pro-0: formation 1 meets at port 20000, in NVLink domain a"]);
    expect(decision.pledges).toMatchObject([{ group: "sts-0", formation: { domain: "a", at: facts.now } }]);
    expect([...decision.problems.keys()]).toEqual([1]);
    expect(placementReady(facts, decision)).toEqual({
      type: "PlacementReady",
      status: "False",
      reason: "NotEnoughNodes",
      message:
        "0 of 4 ranks have a node; group 1: needs 2 nodes with 4 free NVIDIA-GB300 in one NVLink domain; free nodes per NVLink domain: b 1, a 0, 2 more are reserved for groups that start",
    });
  });

  test("keep what they were promised themselves, and respect what others were", () => {
    const nodes = [node("a0", "a"), node("a1", "a")];
    const need = decide(observed(nodes)).pledges[0]?.need;
    if (need === undefined) throw new Error("nothing was promised");
    const promised = (group: string) => [{ group, need, domain: "a", ranks: 2 }];
    const own = observed(nodes, { capacity: { nodes, held: new Map(), reservations: promised("sts-0") } });
    expect(decide(own).pledges).toHaveLength(1);
    const other = observed(nodes, {
      capacity: { nodes, held: new Map(), reservations: promised("another") },
    });
    expect(decide(other).pledges).toEqual([]);
  });

  test("open without a count where the platform adds nodes", () => {
    const platform = { hardware: [{ kind: "GB300" as const, nodesOnDemand: true }] };
    const { pledges, problems } = decide(observed([], { platform: { ok: true, value: platform } }));
    expect([pledges.length, problems.size]).toEqual([2, 0]);
  });

  test("wait for their ComputeDomain, and say what to install where there can be none", () => {
    const nodes = [node("a0", "a"), node("a1", "a")];
    const soon = decide(observed(nodes, { computeDomains: [] }));
    expect(written(soon)).toEqual(["create pro-0: part of the plan", "create pro-1: part of the plan"]);
    expect(soon.problems.size).toBe(0);
    const never = decide(observed(nodes, { computeDomains: "absent" }));
    expect(never.stages.flat()).toEqual([]);
    expect(never.problems.get(0)?.reason).toBe("ComputeDomainMissing");
  });

  test("leave a domain alone in which ranks got no node, for a while", () => {
    const nodes = [node("a0", "a"), node("a1", "a")];
    const unplaced = (at: number) => ({ formation: 1, at, words: "no memory", domain: "a" });
    const [first, second] = observed(nodes).groups;
    if (first === undefined || second === undefined) throw new Error("there are two groups");
    const refused = (secondsAgo: number): Decision => {
      const facts = observed(nodes);
      const recovery = {
        ...cleanRecovery(hash),
        broken: 1,
        unplaced: unplaced(facts.now - secondsAgo * 1000),
      };
      return decide({
        ...facts,
        spec: { ok: true, value: { ...spec, replicas: 1 } },
        groups: [{ ...first, recovery }],
      });
    };
    expect(refused(60).problems.get(0)?.message).toContain("domain a is left alone");
    expect(refused(60).wakeMilliseconds).toBe(60_000);
    expect(refused(121).pledges).toHaveLength(1);
  });
});
