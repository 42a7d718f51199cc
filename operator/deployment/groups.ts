import type { groupStates } from "../../crds/status.ts";
import type { Child, Pod } from "./objects.ts";

/** A serving group as observed: one StatefulSet and the pods it controls. */
export interface Group {
  readonly id: number;
  readonly revision: string;
  readonly ranks: number;
  readonly statefulSet: Child;
  /** Pods by rank; terminating ones too. A hole is a rank without a pod. */
  readonly pods: readonly (Pod | undefined)[];
}

export type GroupState = (typeof groupStates)[number];

export const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;

export function isReady(pod: Pod): boolean {
  const ready =
    pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
  return ready && !isTerminating(pod);
}

export const isGated = (pod: Pod): boolean => (pod.spec.schedulingGates?.length ?? 0) > 0;

export const readyRanks = (group: Group): number =>
  group.pods.filter((pod) => pod !== undefined && isReady(pod)).length;

/** All ranks Ready, and all of them of the group's own revision. */
export function isServing(group: Group, revisionLabel: string): boolean {
  return (
    readyRanks(group) === group.ranks &&
    group.pods.every((pod) => pod?.metadata.labels?.[revisionLabel] === group.revision)
  );
}

export function groupState(group: Group): GroupState {
  const pods = group.pods.filter((pod) => pod !== undefined);
  if (group.statefulSet.metadata.deletionTimestamp !== undefined) return "Stopping";
  if (pods.some(isTerminating)) return "Stopping";
  if (pods.length < group.ranks) return "Pending";
  if (pods.some(isGated)) return "Forming";
  if (readyRanks(group) === group.ranks) return "Ready";
  return pods.every((pod) => pod.spec.nodeName !== undefined) ? "Starting" : "Pending";
}

/** What keeps a group from being Ready, in the words of the first pod that says something; undefined when none does. */
export function groupMessage(group: Group): string | undefined {
  for (const pod of group.pods) {
    if (pod === undefined || isReady(pod)) continue;
    const said = podMessage(pod);
    if (said !== undefined) return `${pod.metadata.name}: ${said}`.slice(0, 1024);
  }
  return undefined;
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
