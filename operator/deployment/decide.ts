import type { KubeObject, OwnerReference } from "../../charts/kubernetes.ts";
import { annotations, labels } from "../../charts/names.ts";
import { groupStatefulSet, sharedObjects } from "../../charts/render.ts";
import { resources } from "../../charts/resources.ts";
import type { DeploymentSpec } from "../../crds/deployment.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import { adoption, creation, deletion, find, isOurs, keep } from "./children.ts";
import {
  channelTrouble,
  computeDomainOf,
  makeComputeDomains,
  removeComputeDomains,
} from "./compute-domains.ts";
import type { Revision } from "./frozen.ts";
import { gangSteps } from "./gangs.ts";
import {
  deadPods,
  type GroupWork,
  groupWork,
  removeGroup,
  restartGroup,
  updateGroup,
} from "./group-steps.ts";
import { type Group, isGated, isServing, presentPods } from "./groups.ts";
import { type Circumstances, nodeTimeouts } from "./loss.ts";
import type { Observed } from "./observed.ts";
import { type Obstacle, obstacleRetrySeconds } from "./obstacles.ts";
import type { Site } from "./opening.ts";
import { missingQueue, releaseSteps } from "./queueing.ts";
import { quotaRoom } from "./quota.ts";
import { recoveryPolicy } from "./recovery.ts";
import type { Pledge } from "./reservations.ts";
import { isRestartDue, restartWish, withRestartMark } from "./restart.ts";
import { revisionFailure } from "./revision-failure.ts";
import { planRollout, rolloutPolicy } from "./rollout.ts";
import { differences } from "./settled.ts";
import type { PlacementProblem } from "./shortage.ts";
import type { Stages, Step } from "./steps.ts";
import { findTarget, isAdoption, oldRevisions, type Target } from "./target.ts";

export interface Decision {
  readonly stages: Stages;
  readonly target: Target;
  /** The target is a changed plan of the same request, on its first way through the groups. */
  readonly adopting: boolean;
  /** Beyond every group seen so far. New groups count once they are there: told before, a crash between would waste their ids. */
  readonly nextGroupId: number;
  /** Serving groups that are wanted: none while suspended. */
  readonly replicas: number;
  readonly suspended: boolean;
  /** Groups that are still to restart, as somebody asked. */
  readonly toRestart: number;
  /** Groups that may be missing during an update. */
  readonly maxUnavailable: number;
  /** Objects in the way: they have our name and another controller. */
  readonly conflicts: readonly string[];
  /** What the cluster lacks, so that no groups are made. */
  readonly obstacle?: Obstacle;
  /** Why groups get no nodes, by id. */
  readonly problems: ReadonlyMap<number, PlacementProblem>;
  /** What the driver says against the channels of groups that were let in and aren't Ready. */
  readonly channelTroubles: readonly string[];
  /** Nodes that groups count on from now on. */
  readonly pledges: readonly Pledge[];
  /** Why groups that are wanted aren't made. */
  readonly shortage?: string;
  /** Why the target revision gets no further. */
  readonly failure?: string;
  /** When to look again though nothing happens. */
  readonly wakeMilliseconds?: number;
}

/** Decides what to write next for one deployment. Pure: the same observation gives the same steps. */
export function decide(observed: Observed): Decision {
  const target = findTarget(observed);
  const nextGroupId = Math.max(
    observed.status?.nextGroupId ?? 0,
    ...observed.groups.map(({ id }) => id + 1),
    0,
  );
  const { spec } = observed;
  const { revision } = target;
  if (revision === undefined || !spec.ok) {
    const replicas = spec.ok ? spec.value.replicas : observed.groups.length;
    return {
      stages: [],
      target,
      adopting: false,
      nextGroupId,
      replicas,
      suspended: false,
      toRestart: 0,
      maxUnavailable: 1,
      conflicts: [],
      problems: new Map(),
      channelTroubles: [],
      pledges: [],
    };
  }

  const suspended = spec.value.suspend === true || observed.annotations[annotations.suspended] === "true";
  const replicas = suspended ? 0 : spec.value.replicas;
  const policy = recoveryPolicy(spec.value.recovery);
  const circumstances: Circumstances = {
    nodes: observed.nodes,
    tombstones: observed.tombstones,
    nodeLossTimeoutSeconds: policy.nodeLossTimeoutSeconds,
    now: observed.now,
  };

  const { owner, children } = observed;
  const shared = differences(revision.plan, children, () => compareShared(revision, observed));

  const failure = failureOf(revision, observed);
  const rollout = rolloutPolicy(spec.value.rollout, failure !== undefined);
  const leaving = observed.groups.filter(isLeaving);
  const staying = observed.groups.filter((group) => !isLeaving(group));
  const wish = restartWish(observed.annotations);
  const due = staying.filter((group) => isRestartDue(group, wish));
  const views = staying.map((group) => ({
    id: group.id,
    // A restart is an update to the same revision.
    revision: due.includes(group) ? `${group.revision}, to restart` : group.revision,
    serves: serves(group),
  }));
  const plan = planRollout(views, replicas, revision.hash, rollout);
  const reason = suspended ? "suspended" : `${replicas} serving groups are wanted`;
  const removed = staying.filter(({ id }) => plan.remove.includes(id));

  const revisionOf = (hash: string): Revision | undefined =>
    hash === revision.hash ? revision : observed.revisions.find((each) => each.hash === hash);
  const statefulSet: Render = (of, groupId) =>
    groupStatefulSet({
      plan: of.plan,
      revision: of.hash,
      groupId,
      template: of.template,
      owner,
    });
  const room = quotaRoom(
    observed.gpuQuotas,
    plan.create,
    revision.plan.nodes * revision.plan.gpusPerNode,
    revision.plan.gpusPerNode * lackedPods(staying),
  );
  const newcomers = Array.from({ length: room.groups }, (_, index) => nextGroupId + index);
  // While the target is held back, scaling goes on with what is known to serve.
  const known = rollout.held ? revisionOf(staying.find(serves)?.revision ?? "") : undefined;
  const obstacle = missingQueue(revision.plan, observed.absent);
  const creations =
    obstacle === undefined
      ? newcomers.map((id) => creation(withRestartMark(statefulSet(known ?? revision, id), wish)))
      : [];
  const gangs = gangSteps(
    [
      ...observed.groups.map((group) => ({
        id: group.id,
        plan: (revisionOf(group.revision) ?? revision).plan,
      })),
      ...newcomers.map((id) => ({ id, plan: (known ?? revision).plan })),
    ],
    observed,
  );

  let { capacity } = observed;
  const works = staying
    .filter((group) => !removed.includes(group))
    .map((group): GroupWork & { readonly group: Group } => {
      const own = revisionOf(group.revision);
      const isUpdated = plan.update.includes(group.id);
      if (isUpdated && wish !== undefined && group.revision === revision.hash)
        return { group, stages: [restartGroup(group, wish)] };
      if (isUpdated) {
        const desired = statefulSet(revision, group.id);
        return { group, stages: [updateGroup(group, desired, own, revision, observed.owner.uid, wish)] };
      }
      const drift = own === undefined ? [] : driftOf(group, own, statefulSet, owner);
      if (drift.length > 0) return { group, stages: [drift] };
      const others = capacity.reservations.filter((each) => each.group !== group.statefulSet.metadata.uid);
      const site: Site = {
        plan: own?.plan,
        capacity: { ...capacity, reservations: others },
        nodesOnDemand: addsNodes(own?.plan, observed),
        computeDomain: computeDomainOf(observed, group.id),
      };
      const retry = observed.annotations[annotations.retry];
      const work = groupWork(group, policy, circumstances, retry, wish, site);
      // The next group of this deployment must not count on the same nodes.
      if (work.reservation !== undefined)
        capacity = { ...capacity, reservations: [...others, work.reservation] };
      return { group, ...work };
    });
  const planned = observed.groups.map((group) => ({ ...group, plan: revisionOf(group.revision)?.plan }));
  const computeDomains = makeComputeDomains(
    [
      ...planned.filter(({ id }) => works.some(({ group }) => group.id === id)),
      ...newcomers.map((id) => ({ id, plan: (known ?? revision).plan })),
    ],
    observed,
  );
  const leavers = [...leaving, ...removed].flatMap((group) =>
    removeGroup(group, group.stopping ?? reason, circumstances),
  );
  const history = oldRevisions(observed, [target.requested, revision]).flatMap(({ object }) =>
    object === undefined ? [] : [deletion(object, "beyond the kept history")],
  );
  const adopted = observed.revisions.flatMap(({ object }) =>
    object === undefined || isOurs(object, observed.owner) || target.write !== undefined
      ? []
      : [adoption(object, observed.owner)],
  );
  const stayingIds = new Set(staying.filter((group) => !removed.includes(group)).map(({ id }) => String(id)));
  const pods = [...observed.groups.flatMap(presentPods), ...observed.strays];
  const releases = releaseSteps(pods, observed.workloads, stayingIds);
  const verdict = rollsBack(spec.value, target, observed, failure);
  const wakes = [
    ...works.flatMap(({ wakeMilliseconds = [] }) => wakeMilliseconds),
    ...nodeTimeouts(circumstances),
    ...(obstacle === undefined ? [] : [obstacleRetrySeconds * 1000]),
  ];
  return {
    stages: [
      target.write === undefined ? verdict : [target.write],
      [
        ...[...shared, ...gangs].filter((found) => typeof found !== "string"),
        ...adopted,
        ...releases,
        ...computeDomains,
      ],
      [
        ...creations,
        ...works.flatMap(({ stages }) => stages.flat()),
        ...leavers,
        ...deadPods(observed.strays, circumstances),
        ...history,
        ...removeComputeDomains(planned, observed),
      ],
    ],
    target,
    adopting: !suspended && isAdoption(observed, target.requested),
    nextGroupId,
    replicas,
    suspended,
    toRestart: due.length,
    maxUnavailable: rollout.maxUnavailable,
    conflicts: [...shared, ...gangs].filter((found) => typeof found === "string"),
    ...(obstacle === undefined ? {} : { obstacle }),
    problems: new Map(
      works.flatMap(({ group, problem }) => (problem === undefined ? [] : [[group.id, problem]])),
    ),
    channelTroubles: planned.flatMap((group) => {
      const domain = computeDomainOf(observed, group.id);
      const isIn = presentPods(group).some((pod) => !isGated(pod)) && !serves(group);
      return isIn && typeof domain === "object" ? (channelTrouble(domain) ?? []) : [];
    }),
    pledges: works.flatMap(({ pledge }) => pledge ?? []),
    ...(room.shortage === undefined ? {} : { shortage: room.shortage }),
    ...(failure === undefined ? {} : { failure }),
    ...(wakes.length === 0 ? {} : { wakeMilliseconds: Math.min(...wakes) }),
  };
}

/** Steps towards what all groups share, and the names of objects in the way. */
function compareShared({ plan }: Revision, { owner, children }: Observed): (Step | string)[] {
  const wanted = sharedObjects(plan, owner);
  const unwanted = children.filter((child) => isOurs(child, owner) && find(wanted, child) === undefined);
  return [
    ...wanted.flatMap((desired) => keep(owner, desired, find(children, desired))),
    ...unwanted.map((child) => deletion(child, "no longer part of the plan")),
  ];
}

function driftOf(group: Group, own: Revision, render: Render, owner: OwnerReference): Step[] {
  const { statefulSet, id } = group;
  const found = differences(own.plan, [statefulSet], () => keep(owner, render(own, id), statefulSet));
  return found.filter((each) => typeof each !== "string");
}

type Render = (revision: Revision, groupId: number) => KubeObject;

const serves = (group: Group): boolean => isServing(group, labels.revision);

/** The platform says that nodes of this kind come when pods wait for them. */
const addsNodes = (plan: ServingPlan | undefined, { platform }: Observed): boolean =>
  platform.ok &&
  platform.value?.hardware?.find(({ kind }) => kind === plan?.hardware)?.nodesOnDemand === true;
/** Pods that StatefulSets are about to make. */
const lackedPods = (groups: readonly Group[]): number =>
  groups.reduce((sum, group) => sum + group.ranks - presentPods(group).length, 0);

/** Marked to stop, or already being removed: its id is not used again. */
const isLeaving = ({ stopping, statefulSet }: Group): boolean =>
  stopping !== undefined || statefulSet.metadata.deletionTimestamp !== undefined;

/** Why groups of a revision don't become Ready; only where an update is under way, for a first revision has no way back. */
function failureOf(revision: Revision, { groups, now }: Observed): string | undefined {
  for (const group of groups) {
    if (group.revision !== revision.hash || serves(group)) continue;
    const failure = revisionFailure(group, group.recovery, revision.plan.startupSeconds, now);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** Puts on record that the requested revision failed, so that the last good one is run instead. */
function rollsBack(
  spec: DeploymentSpec,
  { requested, revision }: Target,
  observed: Observed,
  failure: string | undefined,
): Step[] {
  const good = observed.status?.lastGoodRevision;
  const possible =
    good !== undefined && good !== requested?.hash && observed.revisions.some(({ hash }) => hash === good);
  if (spec.rollout?.onFailure !== "Rollback" || failure === undefined || !possible) return [];
  if (requested === undefined || requested.hash !== revision?.hash || requested.object === undefined)
    return [];
  const path = `/metadata/annotations/${annotations.failed.replace("/", "~1")}`;
  return [
    {
      do: "patch",
      resource: resources.controllerRevisions,
      name: requested.object.metadata.name,
      patch: [{ op: "add", path, value: failure }],
      reason: `revision ${requested.hash} failed, back to ${good}: ${failure}`,
      event: "RollingBack",
    },
  ];
}
