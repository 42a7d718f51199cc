import type { DeploymentSpec } from "../../crds/deployment.ts";

/**
 * The planner of rollouts and scaling: whole numbers in, group ids out, nothing remembered. Called again after every
 * change, it leads from any state to `replicas` groups on the target revision (save the partition).
 *
 * - A group that doesn't serve loses nothing by an update, so it goes at once: a stuck old revision never blocks its own
 *   replacement (kubernetes/kubernetes#67250).
 * - Of those that serve, so many at a time that replicas − maxUnavailable go on serving.
 * - With maxSurge, groups beyond replicas are made on the target; when they serve, old ones go for them. The new ones stay:
 *   a terabyte is loaded once.
 */

export interface RolloutPolicy {
  readonly maxUnavailable: number;
  readonly maxSurge: number;
  /** So many groups, those with the lowest ids, stay on an old revision. */
  readonly partition: number;
  /** No update begins; scaling goes on. */
  readonly held: boolean;
}

/** Fills in what the request leaves open; the CRD documents the same figures. */
export const rolloutPolicy = (given: DeploymentSpec["rollout"], failed: boolean): RolloutPolicy => ({
  maxUnavailable: given?.maxUnavailable ?? 1,
  maxSurge: given?.maxSurge ?? 0,
  partition: given?.partition ?? 0,
  held: failed || given?.paused === true,
});

export interface GroupView {
  readonly id: number;
  readonly revision: string;
  readonly serves: boolean;
}

export interface RolloutPlan {
  /** How many groups to make. */
  readonly create: number;
  readonly update: readonly number[];
  readonly remove: readonly number[];
}

export function planRollout(
  groups: readonly GroupView[],
  replicas: number,
  target: string,
  { maxUnavailable, maxSurge, partition, held }: RolloutPolicy,
): RolloutPlan {
  const stay = Math.min(partition, replicas);
  const outdatedOf = (all: readonly GroupView[]): GroupView[] =>
    [...all]
      .sort((a, b) => a.id - b.id)
      .slice(stay)
      .filter(({ revision }) => revision !== target);

  const arrived = groups.filter(({ revision }) => revision === target).length;
  const mayExceed = Math.min(maxSurge, arrived, outdatedOf(groups).length);
  const superfluous = leastWorthFirst(groups, target).slice(
    0,
    Math.max(0, groups.length - replicas - mayExceed),
  );
  const kept = groups.filter((group) => !superfluous.includes(group));
  const due = held ? [] : outdatedOf(kept);
  const surge = Math.min(maxSurge, due.filter(({ serves }) => serves).length);
  const floor = Math.max(0, replicas - maxUnavailable);
  const serving = kept.filter(({ serves }) => serves).length;
  const servingDue = due.filter(({ serves }) => serves);
  // What surges stands for what goes: no more go than there are beyond replicas.
  const replaced = servingDue.slice(0, Math.max(0, Math.min(kept.length - replicas, serving - floor)));

  const idle = due.filter(({ serves }) => !serves);
  const spare = maxUnavailable === 0 ? 0 : Math.max(0, serving - replaced.length - floor);
  const update = [...idle, ...servingDue.slice(replaced.length, replaced.length + spare)];
  return {
    create: Math.max(0, replicas + surge - kept.length),
    update: update.map(({ id }) => id).sort((a, b) => a - b),
    remove: [...superfluous, ...replaced].map(({ id }) => id),
  };
}

/** Those that don't serve, then those of an old revision, then the youngest. */
function leastWorthFirst(groups: readonly GroupView[], target: string): GroupView[] {
  const worth = ({ serves, revision }: GroupView): number => (serves ? 2 : 0) + (revision === target ? 1 : 0);
  return [...groups].sort((a, b) => worth(a) - worth(b) || b.id - a.id);
}
