import type { GroupFailure } from "../../crds/status.ts";
import { type Group, groupState, isTerminating } from "./groups.ts";
import type { Pod } from "./objects.ts";
import { lastFailure } from "./report.ts";

/** What happened to the groups of a deployment between two looks at it. */
export interface News {
  readonly losses: readonly GroupFailure[];
  /** How long groups took from the start of their youngest rank to Ready. */
  readonly secondsToReady: readonly number[];
}

/** What one process remembers of a group. Losing it costs a sample, never a decision. */
interface Memory {
  readonly start: string;
  readonly since: number;
  /** It was seen before all its ranks had started: only then its way to Ready is a start, and not a moment's unreadiness. */
  readonly starting: boolean;
  readonly failure: string;
}

export interface Starts {
  look(key: string, groups: readonly Group[], now: number): News;
  /** Groups on their way to Ready: id → milliseconds since the epoch when their youngest rank began. */
  starting(key: string): ReadonlyMap<number, number>;
  forget(key: string): void;
}

export function createStarts(): Starts {
  const deployments = new Map<string, ReadonlyMap<number, Memory>>();

  return {
    look: (key, groups, now) => {
      const before = deployments.get(key);
      const losses: GroupFailure[] = [];
      const secondsToReady: number[] = [];
      const after = new Map<number, Memory>();
      for (const group of groups) {
        const old = before?.get(group.id);
        const { start, since } = startOf(group);
        const isReady = groupState(group) === "Ready";
        const wasStarting = old?.start === start && old.starting;
        if (isReady && wasStarting && since !== undefined) secondsToReady.push((now - since) / 1000);
        const failed = lastFailure(group);
        const failure = failed === undefined ? "" : `${failed.pod} ${failed.time}`;
        // At the first look nobody knows whether it was counted before.
        if (failed !== undefined && old !== undefined && failure !== old.failure) losses.push(failed);
        const starting = !isReady && since !== undefined && (wasStarting || !group.pods.every(hasStarted));
        after.set(group.id, { start, since: since ?? now, starting, failure });
      }
      deployments.set(key, after);
      return { losses, secondsToReady };
    },
    starting: (key) =>
      new Map(
        [...(deployments.get(key) ?? [])].flatMap(([id, { starting, since }]) =>
          starting ? [[id, since] as const] : [],
        ),
      ),
    forget: (key) => void deployments.delete(key),
  };
}

/** Names the containers that run now, and says since when all of them have had their nodes; undefined while one has none. */
function startOf({ pods }: Group): { start: string; since: number | undefined } {
  const begun = pods.map((pod) => (pod === undefined || isTerminating(pod) ? undefined : beginning(pod)));
  const start = pods.map((pod) => `${pod?.metadata.uid}/${restarts(pod)}`).join();
  const known = begun.filter((time) => time !== undefined);
  return { start, since: known.length === pods.length && known.length > 0 ? Math.max(...known) : undefined };
}

const restarts = (pod: Pod | undefined): number =>
  pod?.status?.containerStatuses?.reduce((sum, { restartCount = 0 }) => sum + restartCount, 0) ?? 0;

/** When a pod got its node, or its container was started again. */
function beginning(pod: Pod): number | undefined {
  const again =
    restarts(pod) === 0 ? undefined : pod.status?.containerStatuses?.[0]?.state?.running?.startedAt;
  const scheduled = pod.status?.conditions?.find(
    ({ type, status }) => type === "PodScheduled" && status === "True",
  );
  const time = again ?? scheduled?.lastTransitionTime;
  return time === undefined || time === null ? undefined : Date.parse(time);
}

const hasStarted = (pod: Pod | undefined): boolean =>
  pod?.status?.containerStatuses?.every(({ started }) => started === true) ?? false;
