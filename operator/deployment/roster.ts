import { annotations } from "../../charts/names.ts";
import type { DeploymentSpec } from "../../crds/deployment.ts";
import type { Revision } from "./frozen.ts";
import { type Group, presentPods, serves } from "./groups.ts";
import type { Observed } from "./observed.ts";
import type { Obstacle } from "./obstacles.ts";
import { missingQueue } from "./queueing.ts";
import { quotaRoom } from "./quota.ts";
import { isRestartDue, restartWish } from "./restart.ts";
import { planRollout, rolloutPolicy } from "./rollout.ts";

/** Which groups stay, which change, which go and which come. */
export interface Roster {
  /** Serving groups that are wanted: none while suspended. */
  readonly replicas: number;
  readonly suspended: boolean;
  readonly maxUnavailable: number;
  readonly staying: readonly Group[];
  /** Of those that stay: to the target revision, or to restart on it. */
  readonly updated: ReadonlySet<number>;
  readonly leaving: readonly Group[];
  /** Why groups leave. */
  readonly reason: string;
  /** Ids of groups to be made, and the revision that they are of. */
  readonly newcomers: readonly number[];
  readonly revision: Revision;
  /** The restart that somebody asked for. */
  readonly wish: string | undefined;
  /** Groups that are still to restart. */
  readonly toRestart: number;
  /** Why fewer come than are wanted. */
  readonly shortage: string | undefined;
  /** Why none comes. */
  readonly obstacle: Obstacle | undefined;
}

/**
 * @param nextGroupId beyond every id that was ever used
 * @param failed the target revision doesn't become Ready
 */
export function rosterOf(
  observed: Observed,
  spec: DeploymentSpec,
  target: Revision,
  nextGroupId: number,
  failed: boolean,
): Roster {
  const suspended = spec.suspend === true || observed.annotations[annotations.suspended] === "true";
  const replicas = suspended ? 0 : spec.replicas;
  const policy = rolloutPolicy(spec.rollout, failed);
  const candidates = observed.groups.filter((group) => !isLeaving(group));
  const wish = restartWish(observed.annotations);
  const due = candidates.filter((group) => isRestartDue(group, wish));
  const views = candidates.map((group) => ({
    id: group.id,
    // A restart is an update to the same revision.
    revision: due.includes(group) ? `${group.revision}, to restart` : group.revision,
    serves: serves(group),
  }));
  const { create, update, remove } = planRollout(views, replicas, target.hash, policy);
  const { nodes, gpusPerNode } = target.plan;
  const room = quotaRoom(
    observed.gpuQuotas,
    create,
    nodes * gpusPerNode,
    gpusPerNode * lackedPods(candidates),
  );
  const obstacle = missingQueue(target.plan, observed.absent);
  const made = obstacle === undefined ? room.groups : 0;
  return {
    replicas,
    suspended,
    maxUnavailable: policy.maxUnavailable,
    staying: candidates.filter(({ id }) => !remove.includes(id)),
    updated: new Set(update),
    leaving: [...observed.groups.filter(isLeaving), ...candidates.filter(({ id }) => remove.includes(id))],
    reason: suspended ? "suspended" : `${replicas} serving groups are wanted`,
    newcomers: Array.from({ length: made }, (_, index) => nextGroupId + index),
    // While the target is held back, scaling goes on with what is known to serve.
    revision: (policy.held ? known(observed, candidates.find(serves)) : undefined) ?? target,
    wish,
    toRestart: due.length,
    shortage: room.shortage,
    obstacle,
  };
}

/** Marked to stop, or already being removed: its id is not used again. */
const isLeaving = ({ stopping, statefulSet }: Group): boolean =>
  stopping !== undefined || statefulSet.metadata.deletionTimestamp !== undefined;

/** Pods that StatefulSets are about to make. */
const lackedPods = (groups: readonly Group[]): number =>
  groups.reduce((sum, group) => sum + group.ranks - presentPods(group).length, 0);

const known = ({ revisions }: Observed, group: Group | undefined): Revision | undefined =>
  revisions.find(({ hash }) => hash === group?.revision);
