import type { KubeObject } from "../../charts/kubernetes.ts";
import { annotations, labels, schedulingGate } from "../../charts/names.ts";
import { resources } from "../../charts/resources.ts";
import { planChanges } from "./changes.ts";
import { overlay } from "./difference.ts";
import { type Formation, openGatePatch, type Pin } from "./formation.ts";
import type { Revision } from "./frozen.ts";
import { type Group, isGated, isTerminating, presentPods, restartingPods } from "./groups.ts";
import { nextMove } from "./life.ts";
import { type Circumstances, isNodeLost, type NodeWatch } from "./loss.ts";
import { needOf } from "./need.ts";
import { type Child, controllerOf, type Pod } from "./objects.ts";
import { barredHosts, mayOpen, type Site } from "./opening.ts";
import { findPlace, type Reservation } from "./placement.ts";
import { nodesToAvoid, type RecoveryPolicy } from "./recovery.ts";
import type { Pledge } from "./reservations.ts";
import { isRestartDue, restartMark, withRestartMark } from "./restart.ts";
import { type PlacementProblem, shortageProblem } from "./shortage.ts";
import type { Step } from "./steps.ts";
import { isDraining, type Stop, stopsNow } from "./stopping.ts";

/** What a group needs now: writes in stages, and when to look again though nothing happens. */
export interface GroupWork {
  readonly stages: readonly (readonly Step[])[];
  readonly wakeMilliseconds?: number;
  /** Why its ranks have no nodes. */
  readonly problem?: PlacementProblem;
  /** Nodes that it counts on from now on, and what it counts on them for. */
  readonly reservation?: Reservation;
  readonly pledge?: Pledge;
}

const nothing: GroupWork = { stages: [] };

/** How long ranks that were let in may wait for their nodes: the scheduler decides within seconds, a new node takes minutes. */
const placementSeconds = { counted: 60, onDemand: 900 };

/** A group changes as one: the template first, then the ranks of the old revision go. */
export function updateGroup(
  group: Group,
  desired: KubeObject,
  from: Revision | undefined,
  to: Revision,
  ownerUid: string,
  wish: string | undefined,
): Step[] {
  if (controllerOf(group.statefulSet)?.uid !== ownerUid) return [];
  const changes = from === undefined ? ["the former plan is not known"] : planChanges(from.plan, to.plan);
  return [
    {
      do: "update",
      resource: resources.statefulSets,
      object: overlay(group.statefulSet, withRestartMark(desired, wish)),
      reason: `revision ${group.revision} → ${to.hash}: ${changes.join("; ") || "rendered anew"}`,
      event: "GroupUpdating",
    },
  ];
}

/** A group restarts as one: it is on record first, so that what goes is no loss. Pods at the gate have not begun yet. */
export function restartGroup(group: Group, wish: string): Step[] {
  const pods = presentPods(group).flatMap((pod) => (isGated(pod) ? [] : pod.metadata.uid));
  const { formation, recovery } = group;
  const leaves =
    formation === undefined
      ? {}
      : { [annotations.recovery]: JSON.stringify({ ...recovery, broken: formation.id, orderly: true }) };
  const reason = `restarts as the annotation ${annotations.restart} asks (${wish})`;
  return [
    {
      ...mark(group.statefulSet, { ...leaves, ...restartMark(wish, pods) }, reason),
      event: "GroupRestarting",
    },
  ];
}

/** What keeps a group alive as one thing, or brings it to a new revision as one thing. */
export function groupWork(
  group: Group,
  policy: RecoveryPolicy,
  circumstances: Circumstances,
  retry: string | undefined,
  wish: string | undefined,
  site: Site,
): GroupWork {
  const forced = deadPods(presentPods(group), circumstances);
  if (forced.length > 0) return { stages: [forced] };

  const stale = presentPods(group).filter((pod) => pod.metadata.labels?.[labels.revision] !== group.revision);
  if (stale.length > 0) {
    const why = `is of another revision than its group's ${group.revision}`;
    return { stages: [deletions(stopsNow(stale, isDraining(stale)), why, circumstances)] };
  }
  const restarting = restartingPods(group);
  if (restarting.length > 0) {
    const why = `restarts as the annotation ${annotations.restart} asks`;
    return { stages: [deletions(stopsNow(restarting, isDraining(restarting)), why, circumstances)] };
  }
  const isAsked = retry !== undefined && retry !== group.recovery.retry;
  if (group.recovery.gaveUp !== undefined && (isAsked || isRestartDue(group, wish))) {
    const { gaveUp: _, ...rest } = group.recovery;
    const again = { ...rest, failures: [], ...(retry === undefined ? {} : { retry }) };
    const reason = `tried again as the annotation ${isAsked ? annotations.retry : annotations.restart} asks`;
    const marks = { [annotations.recovery]: JSON.stringify(again), ...restartMark(wish) };
    return { stages: [[mark(group.statefulSet, marks, reason)]] };
  }

  if (group.ranks === 1) return single(group, site);

  const { formation, baseline, recovery } = group;
  const move = nextMove({
    group,
    formation,
    baseline,
    recovery,
    policy,
    circumstances,
    gate: schedulingGate,
    placementSeconds: site.nodesOnDemand ? placementSeconds.onDemand : placementSeconds.counted,
  });
  switch (move.move) {
    case "none":
    case "givenUp":
      return nothing;
    case "wait":
      return { stages: [], wakeMilliseconds: move.milliseconds };
    case "record":
      // The queue decides first; our gate goes last.
      if (group.queued !== undefined) return nothing;
      return form(
        group,
        move.formation,
        nodesToAvoid(recovery, policy, circumstances.now),
        site,
        circumstances,
      );
    case "open": {
      const pin = pinOf(move.formation, move.avoid, site);
      return { stages: [move.pods.map((pod) => opening(pod, move.formation, pin))] };
    }
    case "giveBack": {
      const reason = `not all ranks of formation ${formation?.id} got a node, so all are taken back: ${move.words}`;
      const step = mark(group.statefulSet, { [annotations.recovery]: JSON.stringify(move.recovery) }, reason);
      return { stages: [[{ ...step, event: "GroupNotPlaced" }]] };
    }
    case "lose": {
      const { loss } = move;
      const where = loss.node === "" ? "" : ` on node ${loss.node}`;
      const exit = loss.exitCode === undefined ? "" : ` (exit code ${loss.exitCode})`;
      const then = move.recovery.gaveUp ?? `all ${group.ranks} ranks are rebuilt`;
      const reason = `lost ${loss.pod}${where}: ${loss.reason}${exit}; ${then}`;
      const honoured = retry === undefined ? {} : { retry };
      const step = mark(
        group.statefulSet,
        { [annotations.recovery]: JSON.stringify({ ...move.recovery, ...honoured }) },
        reason,
      );
      return {
        stages: [
          [{ ...step, event: move.recovery.gaveUp === undefined ? "GroupRebuilding" : "GroupGivenUp" }],
        ],
      };
    }
    case "stop":
      return { stages: [deletions(move.stops, move.reason, circumstances)] };
  }
}

/** Puts on record who meets where, if there is a place for all of them. */
function form(
  group: Group,
  ready: Formation,
  avoid: readonly string[],
  site: Site,
  { now }: Circumstances,
): GroupWork {
  const verdict = mayOpen(group, site, avoid, now);
  if (!verdict.may) {
    const { problem, wakeMilliseconds } = verdict;
    return {
      stages: [],
      ...(problem !== undefined && { problem }),
      ...(wakeMilliseconds !== undefined && { wakeMilliseconds }),
    };
  }
  const { domain, need } = verdict;
  const formation: Formation = { ...ready, at: now, ...(domain !== undefined && { domain }) };
  const where = domain === undefined ? "" : `, in NVLink domain ${domain}`;
  const reason = `formation ${formation.id} meets at port ${formation.port}${where}`;
  const stages = [[mark(group.statefulSet, { [annotations.formation]: JSON.stringify(formation) }, reason)]];
  if (need === undefined) return { stages };
  const { uid, namespace = "" } = group.statefulSet.metadata;
  return {
    stages,
    reservation: { group: uid, need, domain, ranks: need.nodes },
    pledge: { group: uid, namespace, need, formation },
  };
}

/** A group of one node has no gate: its pod waits at the scheduler, and it is said in numbers for what. */
function single({ statefulSet, pods: [pod] }: Group, { plan, capacity }: Site): GroupWork {
  if (pod === undefined || pod.spec.nodeName !== undefined || plan === undefined) return nothing;
  const need = needOf(plan, [pod]);
  const place = findPlace(need, capacity, { nodes: [] });
  return place.fits
    ? {
        stages: [],
        reservation: { group: statefulSet.metadata.uid, need, domain: undefined, ranks: 1 },
      }
    : { stages: [], problem: shortageProblem(need, place.shortage, capacity, { nodes: [] }) };
}

/** Two stages: a rank that goes before its StatefulSet would be replaced. */
interface Removal {
  readonly atOnce: readonly Step[];
  readonly afterwards: readonly Step[];
}

/** Lets a group go: first it is marked, so that it never comes back; then its ranks stop, and then it is removed. */
export function removeGroup(group: Group, reason: string, circumstances: Circumstances): Removal {
  const { statefulSet } = group;
  const forced = deadPods(presentPods(group), circumstances);
  if (forced.length > 0 || statefulSet.metadata.deletionTimestamp !== undefined)
    return { atOnce: forced, afterwards: [] };
  const open = presentPods(group).filter((pod) => !isGated(pod));
  const remove: Step = {
    do: "delete",
    resource: resources.statefulSets,
    name: statefulSet.metadata.name,
    uid: statefulSet.metadata.uid,
    reason,
    event: "GroupRemoved",
  };
  // One rank drains by itself, with its whole grace.
  if (group.ranks === 1) return { atOnce: [remove], afterwards: [] };
  const old = open.filter((pod) => group.formation?.pods[pod.metadata.name] === pod.metadata.uid);
  if (!isDraining(old))
    return { atOnce: [remove], afterwards: deletions(stopsNow(open, false), reason, circumstances) };
  const marked =
    group.stopping === undefined ? [mark(statefulSet, { [annotations.stopping]: reason }, reason)] : [];
  return { atOnce: marked, afterwards: deletions(stopsNow(old, true), reason, circumstances) };
}

/** Pods whose node can't confirm that they ended: removed by force, or nothing ever removes them. */
export function deadPods(pods: readonly Pod[], watch: NodeWatch): Step[] {
  return pods
    .filter((pod) => isTerminating(pod) && pod.metadata.deletionGracePeriodSeconds !== 0)
    .filter((pod) => pod.spec.nodeName !== undefined && isNodeLost(pod.spec.nodeName, watch))
    .map((pod) => deletion({ pod }, `node ${pod.spec.nodeName} is gone or unreachable`, watch));
}

function pinOf({ domain }: Formation, avoidedNodes: readonly string[], { plan, capacity }: Site): Pin {
  const need = plan && needOf(plan);
  const label = need?.domainLabel;
  return {
    domain: domain === undefined || label === undefined ? undefined : [label, domain],
    barredHosts: need === undefined ? [] : barredHosts(need, capacity),
    avoidedNodes,
  };
}

function opening(pod: Pod, formation: Formation, pin: Pin): Step {
  const marks = {
    [annotations.formation]: String(formation.id),
    [annotations.distPort]: String(formation.port),
  };
  const { avoidedNodes } = pin;
  const keepingOff = avoidedNodes.length === 0 ? "" : `, keeping off ${avoidedNodes.join(", ")}`;
  return {
    do: "patch",
    resource: resources.pods,
    name: pod.metadata.name,
    patch: openGatePatch(pod, marks, pin),
    reason: `joins formation ${formation.id}${keepingOff}`,
  };
}

const deletions = (stops: readonly Stop[], reason: string, circumstances: Circumstances): Step[] =>
  stops.map((stop) => deletion(stop, reason, circumstances));

/** By force where no kubelet can confirm the end any more. */
function deletion({ pod, graceSeconds }: Stop, reason: string, watch: NodeWatch): Step {
  const lost = pod.spec.nodeName !== undefined && isNodeLost(pod.spec.nodeName, watch);
  const grace = lost ? 0 : graceSeconds;
  return {
    do: "delete",
    resource: resources.pods,
    name: pod.metadata.name,
    uid: pod.metadata.uid,
    ...(grace === undefined ? {} : { graceSeconds: grace }),
    reason,
  };
}

/** Annotates exactly this StatefulSet; the template stays. */
function mark({ metadata }: Child, values: Readonly<Record<string, string>>, reason: string): Step {
  const writes = Object.entries(values).map(([name, value]) => ({
    op: "add",
    path: `/metadata/annotations/${name.replace("/", "~1")}`,
    value,
  }));
  return {
    do: "patch",
    resource: resources.statefulSets,
    name: metadata.name,
    patch: [{ op: "test", path: "/metadata/uid", value: metadata.uid }, ...writes],
    reason,
  };
}
