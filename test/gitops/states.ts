/** What Argo CD and kstatus have to say of every way a MiMoDeployment can stand. */
import type { KubeObject } from "../../charts/kubernetes.ts";
import { annotations } from "../../charts/names.ts";
import { type DeploymentStatus, unseen } from "../../crds/status.ts";
import type { Revision } from "../../operator/deployment/frozen.ts";
import type { Group } from "../../operator/deployment/groups.ts";
import type { Obstacle } from "../../operator/deployment/obstacles.ts";
import { cleanRecovery } from "../../operator/deployment/recovery.ts";
import type { PodState } from "../unit/deployment/fixtures.ts";
import { groupOn, name, namespace, revisionOf, type Scene, statusOf } from "../unit/deployment/world.ts";

export interface State {
  readonly name: string;
  readonly object: KubeObject & { readonly spec: object; readonly status?: DeploymentStatus };
  readonly argocd: "Healthy" | "Progressing" | "Degraded" | "Suspended";
  readonly message: string;
  readonly kstatus: "Current" | "InProgress" | "Failed";
}

type Verdict = readonly [State["argocd"], State["kstatus"]];
const healthy: Verdict = ["Healthy", "Current"];
const progressing: Verdict = ["Progressing", "InProgress"];
const degraded: Verdict = ["Degraded", "Failed"];
/** kstatus has no word for it. */
const suspended: Verdict = ["Suspended", "InProgress"];

const pro = { variant: "MiMo-V2.5-Pro", hardware: "GB300" };
const flash = { variant: "MiMo-V2-Flash", hardware: "H200", replicas: 2 };
const first = revisionOf(pro);
const flashFirst = revisionOf(flash);
const flashSecond = revisionOf({ ...flash, contextLength: 65_536 }, 2);
const flashStatus = statusOf({
  spec: flash,
  revisions: [flashFirst],
  groups: [
    groupOn(flashFirst, 0, [{ uid: "x", ready: true }]),
    groupOn(flashFirst, 1, [{ uid: "y", ready: true }]),
  ],
});
const newFlash = { ...flash, contextLength: 65_536 };

const rank = (uid: string, state: Partial<PodState> = {}): PodState => ({ uid, ready: true, ...state });
const ready = [rank("a"), rank("b")];
const gated = [rank("a", { gated: true, ready: false }), rank("b", { gated: true, ready: false })];
const starting = [rank("a", { ready: false }), rank("b", { ready: false })];
const flashGroup = (revision: Revision, id: number, state: Partial<PodState> = {}): Group =>
  groupOn(revision, id, [rank(`pod-${id}`, state)]);
const both = [flashGroup(flashFirst, 0), flashGroup(flashFirst, 1)];
const half = [flashGroup(flashSecond, 0), flashGroup(flashFirst, 1)];

function withLosses(group: Group, losses: number, gaveUp?: string): Group {
  const failures = Array.from({ length: losses }, (_, index) => ({
    formation: index + 1,
    at: 0,
    node: "node-1",
  }));
  const recovery = { ...cleanRecovery(group.revision), broken: losses, failures };
  return { ...group, recovery: gaveUp === undefined ? recovery : { ...recovery, gaveUp } };
}

function unplaced(group: Group): Group {
  const message = "0/10 nodes are available: 10 Insufficient nvidia.com/gpu.";
  const conditions = [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }];
  const pods = group.pods.map(
    (pod) => pod && { ...pod, spec: { gpus: pod.spec.gpus }, status: { phase: "Pending", conditions } },
  );
  return { ...group, pods };
}

/** Its image can't be pulled, long after it got its node. */
function unpullable(group: Group): Group {
  const waiting = { reason: "ImagePullBackOff", message: "no match for platform in manifest" };
  const conditions = [{ type: "PodScheduled", status: "True", lastTransitionTime: "2026-11-22T11:00:00Z" }];
  const containerStatuses = [{ name: "sglang", restartCount: 0, state: { waiting } }];
  const pods = group.pods.map(
    (pod) => pod && { ...pod, status: { phase: "Pending", conditions, containerStatuses } },
  );
  return { ...group, pods };
}

const quota: Obstacle = {
  reason: "QuotaExceeded",
  message: "exceeded quota: gpus, requested: requests.nvidia.com/gpu=8, used: 32, limited: 32",
};
const taken: Obstacle = {
  reason: "NameTaken",
  message: "Service pro already exists and was not made by this operator",
};

interface Case extends Scene {
  readonly obstacle?: Obstacle;
  /** Of the object, where it was changed since the status was written. */
  readonly changed?: object;
}

const cases: readonly (readonly [name: string, Verdict, Case])[] = [
  ["ready", healthy, { spec: pro, revisions: [first], groups: [groupOn(first, 0, ready)] }],
  ["scaled-to-zero", healthy, { spec: { ...pro, replicas: 0 }, revisions: [first] }],
  [
    "rolled-back-on-wish",
    healthy,
    {
      spec: newFlash,
      revisions: [flashFirst, flashSecond],
      groups: both,
      annotations: { [annotations.rollback]: `${flashSecond.hash}:${flashFirst.hash}` },
    },
  ],
  [
    "update-available",
    healthy,
    {
      spec: pro,
      revisions: [{ ...first, hash: "older" }],
      groups: [groupOn({ ...first, hash: "older" }, 0, ready)],
    },
  ],
  ["creating", progressing, { spec: pro, revisions: [first] }],
  ["forming", progressing, { spec: pro, revisions: [first], groups: [groupOn(first, 0, gated)] }],
  [
    "unschedulable",
    progressing,
    { spec: pro, revisions: [first], groups: [unplaced(groupOn(first, 0, starting))] },
  ],
  [
    "loading",
    progressing,
    {
      spec: pro,
      revisions: [first],
      groups: [{ ...groupOn(first, 0, starting), progress: { phase: "Loading", percent: 35 } }],
    },
  ],
  [
    "backing-off",
    progressing,
    { spec: pro, revisions: [first], groups: [withLosses(groupOn(first, 0, gated), 2)] },
  ],
  ["updating", progressing, { spec: newFlash, revisions: [flashFirst, flashSecond], groups: half }],
  [
    "restarting",
    progressing,
    { spec: flash, revisions: [flashFirst], groups: both, annotations: { [annotations.restart]: "1" } },
  ],
  [
    "scaling-down",
    progressing,
    { spec: flash, revisions: [flashFirst], groups: [...both, flashGroup(flashFirst, 2)] },
  ],
  ["stale-ready", progressing, { spec: flash, revisions: [flashFirst], groups: both, changed: newFlash }],
  [
    "stale-stalled",
    progressing,
    { spec: pro, revisions: [first], obstacle: quota, changed: { ...pro, replicas: 2 } },
  ],
  ["refused", degraded, { spec: { variant: "MiMo-V2.5-Pro", hardware: "H100", contextLength: 1_048_576 } }],
  [
    "refused-change",
    degraded,
    { spec: { ...flash, contextLength: 1_048_576 }, revisions: [flashFirst], groups: both },
  ],
  ["quota", degraded, { spec: pro, revisions: [first], groups: [groupOn(first, 0, [])], obstacle: quota }],
  ["name-taken", degraded, { spec: pro, revisions: [first], obstacle: taken }],
  [
    "given-up",
    degraded,
    {
      spec: pro,
      revisions: [first],
      groups: [
        withLosses(groupOn(first, 0, gated), 6, "rebuilt 5 times within 3600 s, and lost pro-0-1 again"),
      ],
    },
  ],
  [
    "rollout-stalled",
    degraded,
    {
      spec: newFlash,
      revisions: [flashFirst, flashSecond],
      groups: [unpullable(flashGroup(flashSecond, 0)), flashGroup(flashFirst, 1)],
      status: flashStatus,
    },
  ],
  [
    "rolled-back-by-failure",
    degraded,
    {
      spec: { ...newFlash, rollout: { onFailure: "Rollback" } },
      revisions: [flashFirst, { ...flashSecond, failed: "pod pro-0-0 can't start: ImagePullBackOff" }],
      groups: both,
      status: flashStatus,
    },
  ],
  ["suspended", suspended, { spec: { ...pro, suspend: true }, revisions: [first] }],
  [
    "suspending",
    suspended,
    { spec: flash, revisions: [flashFirst], groups: both, annotations: { [annotations.suspended]: "true" } },
  ],
  [
    "paused",
    suspended,
    { spec: { ...newFlash, rollout: { paused: true } }, revisions: [flashFirst, flashSecond], groups: half },
  ],
  [
    "held-at-partition",
    suspended,
    {
      spec: { ...newFlash, rollout: { partition: 1 } },
      revisions: [flashFirst, flashSecond],
      groups: [flashGroup(flashFirst, 0), flashGroup(flashSecond, 1)],
    },
  ],
];

/** A recipe that changes is no other state: hashes get names, and of the plan only what scripts read is kept. */
function withStableNames<T extends object>(value: T): T {
  const slim = "plan" in value ? { ...value, plan: { revision: first.hash, ...pick(value.plan) } } : value;
  const named = [first, flashFirst, flashSecond].reduce(
    (text, { hash }, index) => text.replaceAll(hash, `revision${index}`),
    JSON.stringify(slim),
  );
  return JSON.parse(named);
}

const pick = (plan: unknown): object =>
  typeof plan === "object" && plan !== null && "revision" in plan ? { revision: plan.revision } : {};

function stateOf([title, [argocd, kstatus], scene]: (typeof cases)[number]): State {
  const status = withStableNames(statusOf(scene));
  const { changed, spec, annotations: marks } = scene;
  const conditions = status.conditions ?? [];
  const said = (type: string): string => conditions.find((each) => each.type === type)?.message ?? "";
  const held = {
    paused: "the rollout is paused: ",
    "held-at-partition": "the rollout is held at its partition: ",
  };
  const message =
    changed !== undefined
      ? "the operator has not looked at the latest change yet"
      : `${Object.entries(held).find(([key]) => key === title)?.[1] ?? ""}${said(argocd === "Degraded" ? "Stalled" : "Ready")}`;
  return {
    name: title,
    argocd,
    kstatus,
    message,
    object: {
      apiVersion: "mimo.dev/v1alpha1",
      kind: "MiMoDeployment",
      metadata: {
        name,
        namespace,
        generation: changed === undefined ? 1 : 2,
        ...(marks && { annotations: withStableNames({ ...marks }) }),
      },
      spec: changed ?? spec,
      status,
    },
  };
}

export const untouched = (status?: DeploymentStatus): State["object"] => ({
  apiVersion: "mimo.dev/v1alpha1",
  kind: "MiMoDeployment",
  metadata: { name, namespace, generation: 1 },
  spec: pro,
  ...(status && { status }),
});
const message = "the operator has not looked at it yet";

export const states: readonly State[] = [
  {
    name: "unseen",
    argocd: "Progressing",
    kstatus: "InProgress",
    message,
    object: untouched({ conditions: [unseen] }),
  },
  // What the CRD's default for the status is there to prevent: kstatus takes it for finished.
  { name: "without-status", argocd: "Progressing", kstatus: "Current", message, object: untouched() },
  ...cases.map(stateOf),
];
