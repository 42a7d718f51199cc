import { type Formation, newFormation } from "./formation.ts";
import { type Group, isGated, isTerminating, unschedulable } from "./groups.ts";
import { type Circumstances, findLoss, type Loss } from "./loss.ts";
import type { Pod } from "./objects.ts";
import {
  nodesToAvoid,
  type Recovery,
  type RecoveryPolicy,
  waitMilliseconds,
  withLoss,
  withUnplaced,
} from "./recovery.ts";
import { isDraining, type Stop, stopsNow } from "./stopping.ts";

/** What a multi-node group needs next, in the order in which its life goes. */
export type Move =
  | { readonly move: "none" }
  /** All ranks wait at the gate: who belongs together is put on record, once there is a place for them. */
  | { readonly move: "record"; readonly formation: Formation }
  | {
      readonly move: "open";
      readonly formation: Formation;
      readonly pods: readonly Pod[];
      readonly avoid: readonly string[];
    }
  /** A rank was lost: that goes on record first. */
  | { readonly move: "lose"; readonly loss: Loss; readonly recovery: Recovery }
  /** Some rank got no node: the nodes of the others are given back. */
  | { readonly move: "giveBack"; readonly words: string; readonly recovery: Recovery }
  | { readonly move: "stop"; readonly stops: readonly Stop[]; readonly reason: string }
  /** The next formation is tried later. */
  | { readonly move: "wait"; readonly milliseconds: number }
  | { readonly move: "givenUp"; readonly reason: string };

export interface Life {
  readonly group: Group;
  readonly formation: Formation | undefined;
  /** Container restarts of each rank when the formation became Ready; undefined before. */
  readonly baseline: readonly number[] | undefined;
  readonly recovery: Recovery;
  readonly policy: RecoveryPolicy;
  readonly circumstances: Circumstances;
  /** Name of the scheduling gate. */
  readonly gate: string;
  /** How long ranks that were let in may wait for their nodes. */
  readonly placementSeconds: number;
}

const none: Move = { move: "none" };

/**
 * Decides from the pods and what is on record. A formation is opened whole, and lives and dies whole: after a loss none of
 * its pods that ever ran stays, and a pod that waits at the gate is kept for the next.
 */
export function nextMove(life: Life): Move {
  const { group, formation, recovery, policy, circumstances, gate } = life;
  if (group.ranks < 2) return none;
  const pods = group.pods.filter((pod) => pod !== undefined);
  const living = pods.filter((pod) => !isTerminating(pod));
  const open = pods.filter((pod) => !isGated(pod));
  const members = new Set(Object.values(formation?.pods ?? {}));

  // A formation of another revision is being replaced on purpose.
  if (formation !== undefined && formation.revision === group.revision && recovery.broken < formation.id) {
    const loss = findLoss(group, formation, life.baseline, circumstances);
    if (loss !== undefined) {
      return {
        move: "lose",
        loss,
        recovery: withLoss(recovery, loss, formation.id, policy, circumstances.now),
      };
    }
  }
  const broken = formation !== undefined && recovery.broken >= formation.id;
  const strangers = open.some((pod) => !members.has(pod.metadata.uid)) && open.length < group.ranks;
  if (open.length > 0 && (broken || strangers)) {
    const reason = broken
      ? recovery.unplaced?.formation === formation.id
        ? `not all ranks of formation ${formation.id} got a node`
        : `formation ${formation.id} lost a rank`
      : "its formation is not on record";
    return { move: "stop", stops: stopsNow(open, broken && recovery.orderly && isDraining(open)), reason };
  }

  if (living.length < group.ranks || living.length < pods.length) return none;
  const whole = formation !== undefined && living.every((pod) => members.has(pod.metadata.uid));
  const held = living.filter((pod) => isHeldBy(pod, gate));
  if (whole && !broken) {
    const avoid = nodesToAvoid(recovery, policy, circumstances.now);
    if (held.length > 0) return { move: "open", formation, pods: held, avoid };
    return placing(living, formation, life);
  }
  // Another gate (a queue's) beside ours: its owner decides first.
  if (held.length < group.ranks) return none;
  if (recovery.gaveUp !== undefined) return { move: "givenUp", reason: recovery.gaveUp };
  const milliseconds = waitMilliseconds(recovery, policy, group.statefulSet.metadata.uid, circumstances.now);
  if (milliseconds > 0) return { move: "wait", milliseconds };
  return { move: "record", formation: newFormation((formation?.id ?? 0) + 1, group.revision, living) };
}

/** Ranks that hold nodes while another gets none would hold them from a group that could run. */
function placing(living: readonly Pod[], formation: Formation, life: Life): Move {
  const homeless = living.filter(({ spec }) => spec.nodeName === undefined);
  if (homeless.length === 0 || formation.at === undefined) return none;
  const { now } = life.circumstances;
  const left = formation.at + life.placementSeconds * 1000 - now;
  if (left > 0) return { move: "wait", milliseconds: left };
  const words = homeless.map(unschedulable).find((said) => said !== undefined);
  // The scheduler hasn't looked yet: it is slow, or not there.
  if (words === undefined) return none;
  return { move: "giveBack", words, recovery: withUnplaced(life.recovery, formation, words, now) };
}

const isHeldBy = (pod: Pod, gate: string): boolean =>
  pod.spec.schedulingGates?.length === 1 && pod.spec.schedulingGates[0]?.name === gate;
