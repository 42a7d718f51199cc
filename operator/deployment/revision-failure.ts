import type { Group } from "./groups.ts";
import type { Pod } from "./objects.ts";
import type { Recovery } from "./recovery.ts";

/** Beyond the plan's own budget for loading: pulling an image of tens of GiB. */
const pullSeconds = 3600;
/** A kubelet that says these words tries again by itself; a registry or a Secret may come back within this time. */
const refusalSeconds = 120;
const refusals = new Set([
  "ImagePullBackOff",
  "ErrImagePull",
  "InvalidImageName",
  "ErrImageNeverPull",
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
]);

/**
 * Why a group that doesn't serve will not, in the judgement of its revision's budget; undefined while it may. Waiting for
 * a node is no fault of the revision.
 */
export function revisionFailure(
  group: Group,
  recovery: Recovery,
  startupSeconds: number,
  now: number,
): string | undefined {
  const { name } = group.statefulSet.metadata;
  if (recovery.gaveUp !== undefined) return `group ${name} was ${recovery.gaveUp}`;
  for (const pod of group.pods) {
    const placed = pod === undefined ? undefined : placedSeconds(pod, now);
    if (pod === undefined || placed === undefined) continue;
    const waiting = pod.status?.containerStatuses?.find(({ state }) =>
      refusals.has(state?.waiting?.reason ?? ""),
    )?.state?.waiting;
    if (waiting !== undefined && placed > refusalSeconds)
      return `pod ${pod.metadata.name} can't start: ${[waiting.reason, waiting.message].filter(Boolean).join(": ")}`;
    if (placed > startupSeconds + pullSeconds)
      return `pod ${pod.metadata.name} is not Ready ${Math.round(placed)} s after it got its node (budget ${startupSeconds} s, and ${pullSeconds} s to pull the image)`;
  }
  return undefined;
}

/** Seconds since the pod got its node. */
function placedSeconds(pod: Pod, now: number): number | undefined {
  const placed = pod.status?.conditions?.find(
    ({ type, status }) => type === "PodScheduled" && status === "True",
  );
  const since = placed?.lastTransitionTime;
  return since === undefined || since === null ? undefined : (now - Date.parse(since)) / 1000;
}
