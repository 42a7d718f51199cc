import type { Formation } from "./formation.ts";
import { type Group, isGated, isTerminating } from "./groups.ts";
import type { ContainerStatus, Node, Pod } from "./objects.ts";

/** A rank that its formation can't count on any more, with all that is known of its end. */
export interface Loss {
  readonly pod: string;
  /** Empty when it had none. */
  readonly node: string;
  readonly container?: string;
  readonly exitCode?: number;
  readonly reason: string;
  readonly message: string;
  /** The pod is stopping in good order (drained, evicted, deleted by hand): its peers may finish their requests. */
  readonly orderly: boolean;
}

/** What tells whether a node is lost. */
export interface NodeWatch {
  /** Those that pods are on, by name; one that is gone is missing. */
  readonly nodes: ReadonlyMap<string, Node>;
  readonly nodeLossTimeoutSeconds: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What a loss is judged by, besides the pods themselves. */
export interface Circumstances extends NodeWatch {
  /** Last sight of pods that are gone, by UID. */
  readonly tombstones: ReadonlyMap<string, Pod>;
}

/**
 * The rank that a formation lost: of several the one that says most, since the others fell after it. undefined while all
 * are well, or while exits still are the ordinary race of ranks that come up at different times.
 * @param baseline container restarts of each rank when the formation became Ready; undefined before.
 */
export function findLoss(
  group: Group,
  formation: Formation,
  baseline: readonly number[] | undefined,
  circumstances: Circumstances,
): Loss | undefined {
  const losses = Object.entries(formation.pods).flatMap(([name, uid]) => {
    const pod = group.pods.find((each) => each?.metadata.uid === uid);
    const loss =
      pod === undefined ? absence(name, uid, circumstances) : trouble(pod, group, baseline, circumstances);
    return loss === undefined ? [] : [loss];
  });
  return losses.sort((a, b) => weight(b) - weight(a))[0];
}

const weight = ({ exitCode, orderly, reason }: Loss): number =>
  exitCode !== undefined ? 3 : orderly ? 2 : reason === vanished ? 0 : 1;

const vanished = "Vanished";

function absence(name: string, uid: string, { tombstones }: Circumstances): Loss | undefined {
  const last = tombstones.get(uid);
  const node = last?.spec.nodeName ?? "";
  const message = "the pod vanished and left no word of its end";
  const unexplained: Loss = { pod: name, node, reason: vanished, message, orderly: false };
  if (last === undefined) return unexplained;
  // It went while it still waited at the gate: nothing ran, so nothing is lost.
  if (isGated(last)) return undefined;
  // It may be gone before anybody looked: its last sight counts as if it had been seen in time.
  if (isTerminating(last) && !hasEnded(last)) return removal(last);
  const ended = ending(last);
  return ended === undefined ? unexplained : { ...ended, orderly: false };
}

function trouble(
  pod: Pod,
  group: Group,
  baseline: readonly number[] | undefined,
  circumstances: Circumstances,
): Loss | undefined {
  const { name } = pod.metadata;
  const node = pod.spec.nodeName ?? "";
  if (isTerminating(pod)) {
    return isGated(pod) ? undefined : removal(pod);
  }
  if (hasEnded(pod)) {
    const { phase = "", message = `the pod is ${phase}` } = pod.status ?? {};
    const ended = ending(pod) ?? { pod: name, node, reason: phase, message };
    return { ...ended, orderly: false };
  }
  if (node !== "" && isNodeLost(node, circumstances)) {
    return {
      pod: name,
      node,
      reason: "NodeLost",
      message: `node ${node} is gone or unreachable`,
      orderly: false,
    };
  }
  return containerLoss(pod, group, baseline);
}

const hasEnded = ({ status }: Pod): boolean => status?.phase === "Failed" || status?.phase === "Succeeded";

/** Somebody deleted the pod. */
function removal(pod: Pod): Loss {
  // The latter is Kueue's, for a pod whose quota it takes back.
  const disruption = pod.status?.conditions?.find(
    ({ type, status }) => ["DisruptionTarget", "TerminationTarget"].includes(type) && status === "True",
  );
  const { reason = "Deleted", message = "the pod was deleted" } = disruption ?? {};
  return { pod: pod.metadata.name, node: pod.spec.nodeName ?? "", reason, message, orderly: true };
}

/** A container that ended: after the formation was Ready always, before that once every rank has run. */
function containerLoss(pod: Pod, group: Group, baseline: readonly number[] | undefined): Loss | undefined {
  const rank = group.pods.indexOf(pod);
  for (const status of pod.status?.containerStatuses ?? []) {
    const restarts = status.restartCount ?? 0;
    const ended = status.state?.terminated ?? status.lastState?.terminated;
    const lost =
      baseline === undefined
        ? endedAmongPeers(status, pod, group)
        : restarts > (baseline[rank] ?? 0) || status.state?.terminated !== undefined;
    if (!lost) continue;
    const known = ending(pod);
    if (known !== undefined && ended !== undefined) return { ...known, orderly: false };
    const message = `its container restarted (${restarts} times so far) and left no word`;
    return {
      pod: pod.metadata.name,
      node: pod.spec.nodeName ?? "",
      container: status.name,
      reason: "ContainerRestarted",
      message,
      orderly: false,
    };
  }
  return undefined;
}

/** True when the container ended after the last of its peers had begun to run. */
function endedAmongPeers(status: ContainerStatus, pod: Pod, group: Group): boolean {
  const finished = time((status.state?.terminated ?? status.lastState?.terminated)?.finishedAt);
  if (finished === undefined) return false;
  return group.pods.every((peer) => {
    if (peer === pod) return true;
    const begun = peer === undefined ? undefined : firstRun(peer);
    return begun !== undefined && finished > begun;
  });
}

/** The earliest start of a pod's container that its status still tells, in milliseconds. */
function firstRun(pod: Pod): number | undefined {
  const starts = (pod.status?.containerStatuses ?? []).flatMap(({ state, lastState }) =>
    [lastState?.terminated?.startedAt, state?.terminated?.startedAt, state?.running?.startedAt].map(time),
  );
  return starts.find((start) => start !== undefined);
}

const time = (stamp: string | null | undefined): number | undefined =>
  stamp === undefined || stamp === null ? undefined : Date.parse(stamp);

/** How a pod's container ended, from its own words; undefined when its status doesn't tell. */
export function ending(pod: Pod): Omit<Loss, "orderly"> | undefined {
  const { name } = pod.metadata;
  const node = pod.spec.nodeName ?? "";
  for (const { name: container, state, lastState } of pod.status?.containerStatuses ?? []) {
    const ended = state?.terminated ?? lastState?.terminated;
    if (ended === undefined) continue;
    const { exitCode, reason = "Error", message = "" } = ended;
    return {
      pod: name,
      node,
      container,
      ...(exitCode === undefined ? {} : { exitCode }),
      reason,
      message: lastLines(message),
    };
  }
  const { reason, message = "" } = pod.status ?? {};
  return reason === undefined ? undefined : { pod: name, node, reason, message };
}

/** A status holds 2 kB of it; the end of a log says why. */
const lastLines = (log: string): string => log.trim().slice(-1500);

/** Only a node that says so itself, or is gone, is lost: a pod that isn't Ready may be busy. */
export function isNodeLost(name: string, { nodes, now, nodeLossTimeoutSeconds }: NodeWatch): boolean {
  const node = nodes.get(name);
  if (node === undefined) return true;
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
  const since = time(ready?.lastTransitionTime);
  return ready?.status === "Unknown" && since !== undefined && now - since >= nodeLossTimeoutSeconds * 1000;
}

/** Milliseconds until each node that doesn't answer counts as lost. */
export function nodeTimeouts({ nodes, now, nodeLossTimeoutSeconds }: NodeWatch): number[] {
  return [...nodes.values()].flatMap((node) => {
    const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
    const since = time(ready?.lastTransitionTime);
    if (ready?.status !== "Unknown" || since === undefined) return [];
    const left = since + nodeLossTimeoutSeconds * 1000 - now;
    return left > 0 ? [left] : [];
  });
}
