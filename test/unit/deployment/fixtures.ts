import { labels, schedulingGate } from "../../../charts/names.ts";
import type { Group } from "../../../operator/deployment/groups.ts";
import type { Child, Pod } from "../../../operator/deployment/objects.ts";

export interface PodState {
  readonly uid: string;
  readonly gated?: boolean;
  readonly terminating?: boolean;
  readonly ready?: boolean;
  readonly revision?: string;
}

export function pod(rank: number, { uid, gated, terminating, ready, revision = "r1" }: PodState): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `pro-0-${rank}`,
      namespace: "team-a",
      uid,
      resourceVersion: "1",
      labels: { [labels.revision]: revision },
      ...(terminating ? { deletionTimestamp: "2026-11-22T00:00:00Z" } : {}),
    },
    spec: gated ? { schedulingGates: [{ name: schedulingGate }] } : { nodeName: `node-${rank}` },
    status: { conditions: ready ? [{ type: "Ready", status: "True" }] : [] },
  };
}

export function statefulSet(id: number, annotations: Record<string, string> = {}): Child {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: `pro-${id}`, namespace: "team-a", uid: `sts-${id}`, resourceVersion: "1", annotations },
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
  };
}
