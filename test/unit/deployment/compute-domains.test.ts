import { describe, expect, test } from "vitest";
import { computeDomainFinalizer, labels } from "../../../charts/names.ts";
import { computeDomain } from "../../../charts/render.ts";
import {
  channelTrouble,
  makeComputeDomains,
  removeComputeDomains,
} from "../../../operator/deployment/compute-domains.ts";
import { farewell } from "../../../operator/deployment/farewell.ts";
import {
  type Child,
  type ComputeDomain,
  computeDomainView,
  type Deployment,
} from "../../../operator/deployment/objects.ts";
import type { Observed } from "../../../operator/deployment/observed.ts";
import { nameOf, type Step } from "../../../operator/deployment/steps.ts";
import { twoNodePlan } from "../charts/plans.ts";
import { group, healthyNodes, pod, statefulSet, uneventful } from "./fixtures.ts";

const uid = "owner";
const plan = twoNodePlan({ nvlink: { domainLabel: "nvidia.com/gpu.clique" } });
const { nvlink: _, ...withoutNvlink } = plan;

function domain(id: number, going = false, ownerUid = uid): ComputeDomain {
  const rendered = computeDomain({ plan, groupId: id, ownerUid });
  const metadata = { ...rendered?.metadata, uid: `cd-${id}`, resourceVersion: "1" };
  const deletion = going ? { deletionTimestamp: "2026-11-22T00:00:00Z" } : {};
  return computeDomainView.parse({ ...rendered, metadata: { ...metadata, ...deletion } });
}

function observed(state: Partial<Observed> = {}): Observed {
  return {
    ...uneventful,
    name: "pro",
    namespace: "team-a",
    owner: { apiVersion: "mimo.dev/v1alpha1", kind: "MiMoDeployment", name: "pro", uid },
    finalizers: [computeDomainFinalizer],
    annotations: {},
    spec: { ok: false, refusals: [] },
    status: undefined,
    platform: { ok: true, value: undefined },
    revisions: [],
    groups: [],
    children: [],
    nodes: new Map(),
    now: 0,
    ...state,
  };
}
const said = (steps: readonly Step[]): string[] =>
  steps.map((step) => `${step.do} ${step.resource.plural}/${nameOf(step)}`);

describe("a group on NVLink between nodes", () => {
  test("gets its ComputeDomain once the finalizer is there, and others of the deployment stay on it", () => {
    const [step, ...more] = makeComputeDomains([{ id: 0, plan }], observed({ finalizers: ["orphan"] }));
    expect(more).toEqual([]);
    expect(step).toMatchObject({
      do: "patch",
      name: "pro",
      patch: [
        { op: "test", path: "/metadata/uid", value: uid },
        { op: "test", path: "/metadata/finalizers", value: ["orphan"] },
        { op: "add", path: "/metadata/finalizers", value: ["orphan", computeDomainFinalizer] },
      ],
    });
    expect(said(makeComputeDomains([{ id: 0, plan }], observed()))).toEqual(["create computedomains/pro-0"]);
    expect(makeComputeDomains([{ id: 0, plan }], observed({ computeDomains: [domain(0)] }))).toEqual([]);
  });

  test("takes over that of a former deployment of its name, and waits for one that is going", () => {
    const [step] = makeComputeDomains(
      [{ id: 0, plan }],
      observed({ computeDomains: [domain(0, false, "former")] }),
    );
    expect(step).toMatchObject({
      do: "update",
      object: { metadata: { labels: { [labels.ownerUid]: uid } } },
    });
    expect(makeComputeDomains([{ id: 0, plan }], observed({ computeDomains: [domain(0, true)] }))).toEqual(
      [],
    );
  });

  test("asks for nothing where the API server serves none, and where it does without", () => {
    expect(
      makeComputeDomains([{ id: 0, plan }], observed({ computeDomains: "absent", finalizers: [] })),
    ).toEqual([]);
    expect(makeComputeDomains([{ id: 0, plan: withoutNvlink }], observed({ finalizers: [] }))).toEqual([]);
  });

  test("changed to do without, gives back domain and finalizer, each when nothing needs it any more", () => {
    const changed = { ...group([{ uid: "a" }, { uid: "b", revision: "r0" }]), plan: withoutNvlink };
    expect(removeComputeDomains([changed], observed({ computeDomains: [domain(0)] }))).toEqual([]);
    const settled = { ...group([{ uid: "a" }, { uid: "b" }]), plan: withoutNvlink };
    expect(said(removeComputeDomains([settled], observed({ computeDomains: [domain(0)] })))).toEqual([
      "delete computedomains/pro-0",
    ]);
    expect(makeComputeDomains([settled], observed({ computeDomains: [domain(0)] }))).toEqual([]);
    expect(said(makeComputeDomains([settled], observed()))).toEqual(["patch mimodeployments/pro"]);
  });
});

test("the driver's word is told where it is against the group, or missing", () => {
  const saying = (status: ComputeDomain["status"]) =>
    channelTrouble({ ...domain(0), ...(status && { status }) });
  expect(saying({ status: "Ready" })).toBeUndefined();
  expect(saying(undefined)).toBe("ComputeDomain pro-0 has no word from NVIDIA's DRA driver yet");
  const nodes = [
    { name: "a", status: "NotReady" },
    { name: "b", status: "Ready" },
  ];
  expect(saying({ status: "NotReady", nodes })).toBe("ComputeDomain pro-0 is NotReady on a");
});

describe("a group that goes", () => {
  test("keeps its domain while it, or a pod of it, is there", () => {
    const computeDomains = [domain(0)];
    const going = { ...group([undefined, undefined]), plan };
    expect(removeComputeDomains([going], observed({ computeDomains }))).toEqual([]);
    expect(removeComputeDomains([], observed({ computeDomains, occupied: new Set(["pro-0"]) }))).toEqual([]);
    expect(said(removeComputeDomains([], observed({ computeDomains })))).toEqual([
      "delete computedomains/pro-0",
    ]);
    expect(removeComputeDomains([], observed({ computeDomains: [domain(0, true)] }))).toEqual([]);
  });
});

describe("a deployment that goes", () => {
  const groupLabels = { [labels.deployment]: "pro", [labels.group]: "0" };
  const owned = (by: string | undefined): Child => {
    const set = statefulSet(0);
    const owner = { apiVersion: "v1", kind: "MiMoDeployment", name: "pro", uid: by ?? "", controller: true };
    const metadata = { ...set.metadata, labels: groupLabels };
    return { ...set, metadata: by === undefined ? metadata : { ...metadata, ownerReferences: [owner] } };
  };
  const rank = (terminating: boolean) => {
    const made = pod(0, { uid: "a", ready: !terminating, terminating });
    return { ...made, metadata: { ...made.metadata, labels: { ...made.metadata.labels, ...groupLabels } } };
  };
  const deployment = (...finalizers: string[]): Deployment => ({
    apiVersion: "mimo.dev/v1alpha1",
    kind: "MiMoDeployment",
    metadata: {
      name: "pro",
      namespace: "team-a",
      uid,
      resourceVersion: "9",
      generation: 1,
      deletionTimestamp: "2026-11-22T00:00:00Z",
      finalizers,
    },
    spec: {},
  });
  const watch = { nodes: healthyNodes, nodeLossTimeoutSeconds: 120, now: 0 };
  const remains = { statefulSets: [owned(uid)], pods: [rank(false)], computeDomains: [domain(0)] };
  const steps = (state: Partial<Parameters<typeof farewell>[0]>): string[][] =>
    farewell({ deployment: deployment(computeDomainFinalizer), ...remains, ...state }, watch).map(said);

  test("stops its groups, waits for their pods, removes the domains and is let go, in this order", () => {
    expect(steps({})).toEqual([["delete statefulsets/pro-0"]]);
    expect(steps({ statefulSets: [], pods: [rank(true)] })).toEqual([[]]);
    expect(steps({ statefulSets: [], pods: [] })).toEqual([
      ["delete computedomains/pro-0"],
      ["patch mimodeployments/pro"],
    ]);
    expect(steps({ statefulSets: [], pods: [], computeDomains: [domain(0, true)] })).toEqual([
      [],
      ["patch mimodeployments/pro"],
    ]);
  });

  test("isn't held where no domain of it is left, or none is served any more", () => {
    expect(steps({ computeDomains: [] })).toEqual([[], ["patch mimodeployments/pro"]]);
    expect(steps({ computeDomains: [], deployment: deployment() })).toEqual([[], []]);
  });

  test("as an orphan's parent leaves ranks and domain be, also when the garbage collector was quicker", () => {
    expect(steps({ deployment: deployment(computeDomainFinalizer, "orphan") })).toEqual([
      [],
      ["patch mimodeployments/pro"],
    ]);
    expect(steps({ statefulSets: [owned(undefined)] })).toEqual([[], ["patch mimodeployments/pro"]]);
  });

  test("once gone, its domain goes when the orphaned group and its pods have gone", () => {
    const gone = { deployment: undefined } as const;
    expect(steps({ ...gone, statefulSets: [owned(undefined)] })).toEqual([[]]);
    expect(steps({ ...gone, statefulSets: [] })).toEqual([[]]);
    expect(steps({ ...gone, statefulSets: [], pods: [] })).toEqual([["delete computedomains/pro-0"]]);
  });
});
