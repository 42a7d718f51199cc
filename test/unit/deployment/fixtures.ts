import { labels, schedulingGate } from "../../../charts/names.ts";
import type { Group } from "../../../operator/deployment/groups.ts";
import type { Child, Node, Pod } from "../../../operator/deployment/objects.ts";
import type { Capacity } from "../../../operator/deployment/placement.ts";
import { cleanRecovery } from "../../../operator/deployment/recovery.ts";
import type { ServingPlan } from "../../../synth/serving-plan.ts";

export interface PodState {
  readonly uid: string;
  /** Container restarts; the last one ended with this exit code. */
  readonly restarts?: number;
  readonly exitCode?: number;
  readonly phase?: string;
  readonly node?: string;
  readonly graceSeconds?: number;
  readonly gated?: boolean;
  readonly terminating?: boolean;
  readonly ready?: boolean;
  readonly revision?: string;
}

export function pod(rank: number, state: PodState): Pod {
  const {
    uid,
    gated,
    terminating,
    ready,
    restarts = 0,
    exitCode,
    phase = "Running",
    revision = "r1",
  } = state;
  const terminated =
    exitCode === undefined ? {} : { terminated: { exitCode, reason: "Error", message: "CUDA error" } };
  const container = { name: "sglang", restartCount: restarts, state: { running: {} }, lastState: terminated };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `pro-0-${rank}`,
      namespace: "team-a",
      uid,
      resourceVersion: "1",
      labels: { [labels.revision]: revision },
      ...(terminating
        ? { deletionTimestamp: "2026-11-22T00:00:00Z", deletionGracePeriodSeconds: state.graceSeconds ?? 600 }
        : {}),
    },
    spec: gated
      ? { schedulingGates: [{ name: schedulingGate }], gpus: 8 }
      : { nodeName: state.node ?? `node-${rank}`, gpus: 8 },
    status: {
      phase,
      conditions: ready ? [{ type: "Ready", status: "True" }] : [],
      ...(gated ? {} : { containerStatuses: [container] }),
    },
  };
}

export function statefulSet(id: number, annotations: Record<string, string> = {}): Child {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: `pro-${id}`, namespace: "team-a", uid: `sts-${id}`, resourceVersion: "1", annotations },
  };
}

/** Both nodes of the pods above answer. */
export const healthyNodes: ReadonlyMap<string, Node> = new Map(
  [0, 1, 2, 3, 4, 5, 6, 7].map((index) => [`node-${index}`, node(`node-${index}`, "True")]),
);

export function node(name: string, ready: "True" | "Unknown", since = "2026-11-22T00:00:00Z"): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, uid: name, resourceVersion: "1" },
    status: { conditions: [{ type: "Ready", status: ready, lastTransitionTime: since }], gpus: 8 },
  };
}

/** A group whose rank n is the n-th pod; undefined is a missing rank. */
export function group(
  pods: readonly (PodState | undefined)[],
  options: { id?: number; revision?: string } = {},
): Group {
  const { id = 0, revision = "r1" } = options;
  return {
    id,
    revision,
    ranks: pods.length,
    statefulSet: statefulSet(id),
    pods: pods.map((state, rank) => (state === undefined ? undefined : pod(rank, state))),
    formation: undefined,
    recovery: cleanRecovery(revision),
    restart: undefined,
    baseline: undefined,
    progress: undefined,
    queued: undefined,
    stopping: undefined,
  };
}

/** Nothing is in the way of any group of the plan. */
export function emptyNodes({ placement, gpusPerNode, nvlink }: ServingPlan): Capacity {
  const domain = nvlink === undefined ? {} : { [nvlink.domainLabel]: "rack" };
  const nodes = [...healthyNodes.values()].map((each) => ({
    ...each,
    metadata: { ...each.metadata, labels: { ...placement.nodeSelector, ...domain } },
    status: { ...each.status, gpus: gpusPerNode },
  }));
  return { nodes, held: new Map(), reservations: [] };
}

/** What is observed of a deployment beside its groups, where nothing of it matters. */
export const uneventful = {
  finalizers: [],
  computeDomains: [],
  occupied: new Set<string>(),
  capacity: { nodes: [], held: new Map(), reservations: [] },
  strays: [],
  gangs: [],
  workloads: [],
  absent: [],
  gpuQuotas: [],
  tombstones: new Map(),
  takesTurn: false,
  hasTurn: false,
} as const;
