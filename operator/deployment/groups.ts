import { labels } from "../../charts/names.ts";
import type { groupStates } from "../../crds/status.ts";
import type { Formation } from "./formation.ts";
import type { Child, Pod } from "./objects.ts";
import type { RankProgress } from "./progress.ts";
import type { Recovery } from "./recovery.ts";
import type { RestartRecord } from "./restart.ts";

/** A serving group as observed: one StatefulSet and the pods it controls. */
export interface Group {
  readonly id: number;
  readonly revision: string;
  readonly ranks: number;
  readonly statefulSet: Child;
  /** Pods by rank; terminating ones too. A hole is a rank without a pod. */
  readonly pods: readonly (Pod | undefined)[];
  /** On record on the StatefulSet; undefined before the ranks first met. */
  readonly formation: Formation | undefined;
  readonly recovery: Recovery;
  /** Undefined before the first restart that somebody asked for. */
  readonly restart: RestartRecord | undefined;
  /** Container restarts of each rank when the formation became Ready; undefined before. */
  readonly baseline: readonly number[] | undefined;
  /** By the logs of the ranks that start; undefined where they don't say. */
  readonly progress: RankProgress | undefined;
  /** Why its queue holds it; undefined when none does. */
  readonly queued: string | undefined;
  /** Why the group is on its way out; undefined while it is to stay. */
  readonly stopping: string | undefined;
}

export type GroupState = (typeof groupStates)[number];

export const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;

export function isReady(pod: Pod): boolean {
  const ready =
    pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
  return ready && !isTerminating(pod);
}

export const isGated = (pod: Pod): boolean => (pod.spec.schedulingGates?.length ?? 0) > 0;

/** The scheduler's words about a pod that it finds no node for. */
export const unschedulable = (pod: Pod): string | undefined =>
  pod.status?.conditions?.find(
    ({ type, status, reason }) => type === "PodScheduled" && status === "False" && reason === "Unschedulable",
  )?.message;

export const readyRanks = (group: Group): number =>
  group.pods.filter((pod) => pod !== undefined && isReady(pod)).length;

/** Its pods that go for a restart. */
export const restartingPods = (group: Group): Pod[] =>
  presentPods(group).filter((pod) => group.restart?.pods.includes(pod.metadata.uid));

/** All ranks Ready, all of them of the group's own revision, and none about to go. */
export function serves(group: Group): boolean {
  return (
    readyRanks(group) === group.ranks &&
    restartingPods(group).length === 0 &&
    group.pods.every((pod) => pod?.metadata.labels?.[labels.revision] === group.revision)
  );
}

export const presentPods = (group: Group): Pod[] => group.pods.filter((pod) => pod !== undefined);

/** Container restarts of each rank, in order. */
export const containerRestarts = (group: Group): number[] =>
  group.pods.map(
    (pod) => pod?.status?.containerStatuses?.reduce((sum, each) => sum + (each.restartCount ?? 0), 0) ?? 0,
  );

/** @param lacksNodes the ranks wait for nodes, not for each other */
export function groupState(group: Group, lacksNodes = false): GroupState {
  const pods = presentPods(group);
  if (group.stopping !== undefined || group.statefulSet.metadata.deletionTimestamp !== undefined)
    return "Stopping";
  if (pods.some(isTerminating)) return "Stopping";
  if (pods.length < group.ranks) return "Pending";
  if (pods.some(isGated)) {
    if (group.recovery.gaveUp !== undefined) return "GivenUp";
    if (group.queued !== undefined) return "Queued";
    if (lacksNodes) return "Pending";
    return group.recovery.failures.length > 1 ? "BackingOff" : "Forming";
  }
  if (readyRanks(group) === group.ranks) return "Ready";
  if (pods.some((pod) => pod.spec.nodeName === undefined)) return "Pending";
  if (!pods.every(hasRun)) return "Pulling";
  return group.progress?.phase ?? "Starting";
}

/** Percent of the checkpoint that a loading group has loaded; undefined for any other group, or where no log says so. */
export const percentLoaded = (group: Group): number | undefined =>
  groupState(group) === "Loading" && group.progress?.phase === "Loading" ? group.progress.percent : undefined;

const hasRun = (pod: Pod): boolean =>
  pod.status?.containerStatuses?.some(
    ({ state, restartCount }) => state?.running !== undefined || (restartCount ?? 0) > 0,
  ) ?? false;

/**
 * What keeps a group from being Ready: the words of the first pod that says something, else that pods are missing. undefined
 * when there is nothing to say.
 */
export function groupMessage(group: Group): string | undefined {
  if (group.queued !== undefined) return group.queued.slice(0, 1024);
  for (const pod of group.pods) {
    if (pod === undefined || isReady(pod)) continue;
    const said = podMessage(pod);
    if (said !== undefined) return `${pod.metadata.name}: ${said}`.slice(0, 1024);
  }
  return missingPods(group);
}

/** For a moment that is so whenever pods are made; when one is refused, the API server says it to the StatefulSet alone. */
function missingPods({ pods, ranks, statefulSet, stopping }: Group): string | undefined {
  const missing = ranks - pods.filter((pod) => pod !== undefined).length;
  const { name, deletionTimestamp } = statefulSet.metadata;
  if (missing === 0 || stopping !== undefined || deletionTimestamp !== undefined) return undefined;
  return `${missing} of ${ranks} pods of ${name} are not there; if that lasts, kubectl describe statefulset ${name} says why`;
}

function podMessage(pod: Pod): string | undefined {
  for (const { state } of pod.status?.containerStatuses ?? []) {
    if (state?.terminated)
      return sentence(
        state.terminated.reason ?? `exit code ${state.terminated.exitCode}`,
        state.terminated.message,
      );
    // ContainerCreating is the normal way of every start.
    if (state?.waiting && state.waiting.reason !== "ContainerCreating")
      return sentence(state.waiting.reason, state.waiting.message);
  }
  const scheduled = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status === "False" && scheduled.reason !== "SchedulingGated")
    return sentence(scheduled.reason, scheduled.message);
  return pod.status?.reason === undefined ? undefined : sentence(pod.status.reason, pod.status.message);
}

const sentence = (reason: string | undefined, message: string | undefined): string =>
  [reason, message].filter((part) => part !== undefined && part !== "").join(": ");
