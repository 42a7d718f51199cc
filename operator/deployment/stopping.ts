import { isReady, isTerminating } from "./groups.ts";
import type { Pod } from "./objects.ts";

/** Enough to exit, too short to hold GPUs: a rank without its peers can finish nothing, and before SGLang 0.5.21 ranks above 0 ignore SIGTERM. */
export const shortGraceSeconds = 10;

export interface Stop {
  readonly pod: Pod;
  /** The pod's own when absent. */
  readonly graceSeconds?: number;
}

/**
 * Which of the pods to delete now, so that all stop. In good order rank 0 goes first and has its whole grace to finish its
 * requests, for which it needs the others; they go when it is gone. Otherwise all go at once.
 */
export function stopsNow(pods: readonly Pod[], inOrder: boolean): Stop[] {
  const rank0 = pods.find(isRank0);
  if (inOrder && rank0 !== undefined) return isTerminating(rank0) ? [] : [{ pod: rank0 }];
  return pods.filter(holdsOn).map((pod) => ({ pod, graceSeconds: shortGraceSeconds }));
}

/** True while rank 0 of these pods has requests to finish, or is finishing them. */
export function isDraining(pods: readonly Pod[]): boolean {
  const rank0 = pods.find(isRank0);
  return rank0 !== undefined && (isTerminating(rank0) || isReady(rank0));
}

const isRank0 = (pod: Pod): boolean => pod.metadata.name.endsWith("-0");

/** Not stopping yet, or with more time than it has use for. */
const holdsOn = (pod: Pod): boolean =>
  !isTerminating(pod) || (pod.metadata.deletionGracePeriodSeconds ?? 0) > shortGraceSeconds;
