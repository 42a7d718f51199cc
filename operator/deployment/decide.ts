import type { KubeObject, OwnerReference } from "../../charts/kubernetes.ts";
import { annotations, labels } from "../../charts/names.ts";
import { groupStatefulSet, sharedObjects } from "../../charts/render.ts";
import { resources } from "../../charts/resources.ts";
import type { DeploymentSpec } from "../../crds/deployment.ts";
import { adoption, creation, deletion, find, isOurs, keep } from "./children.ts";
import type { Revision } from "./frozen.ts";
import { deadPods, groupWork, removeGroup, restartGroup, updateGroup } from "./group-steps.ts";
import { type Group, isServing, presentPods } from "./groups.ts";
import { type Circumstances, nodeTimeouts } from "./loss.ts";
import type { Observed } from "./observed.ts";
import { quotaRoom } from "./quota.ts";
import { recoveryPolicy } from "./recovery.ts";
import { isRestartDue, restartWish, withRestartMark } from "./restart.ts";
import { revisionFailure } from "./revision-failure.ts";
import { planRollout, rolloutPolicy } from "./rollout.ts";
import { differences } from "./settled.ts";
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
  const conflicts = shared.filter((found) => typeof found === "string");

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
  const creations = newcomers.map((id) =>
    creation(withRestartMark(statefulSet(known ?? revision, id), wish)),
  );

  const works = staying
    .filter((group) => !removed.includes(group))
    .map((group) => {
      const own = revisionOf(group.revision);
      const isUpdated = plan.update.includes(group.id);
      if (isUpdated && wish !== undefined && group.revision === revision.hash)
        return { stages: [restartGroup(group, wish)] };
      if (isUpdated) {
        const desired = statefulSet(revision, group.id);
        return { stages: [updateGroup(group, desired, own, revision, observed.owner.uid, wish)] };
      }
      const drift = own === undefined ? [] : driftOf(group, own, statefulSet, owner);
      if (drift.length > 0) return { stages: [drift] };
      return groupWork(group, policy, circumstances, observed.annotations[annotations.retry], wish);
    });
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
  const verdict = rollsBack(spec.value, target, observed, failure);
  const wakes = [
    ...works.flatMap(({ wakeMilliseconds = [] }) => wakeMilliseconds),
    ...nodeTimeouts(circumstances),
  ];
  return {
    stages: [
      target.write === undefined ? verdict : [target.write],
      [...shared.filter((found) => typeof found !== "string"), ...adopted],
      [
        ...creations,
        ...works.flatMap(({ stages }) => stages.flat()),
        ...leavers,
        ...deadPods(observed.strays, circumstances),
        ...history,
      ],
    ],
    target,
    adopting: !suspended && isAdoption(observed, target.requested),
    nextGroupId,
    replicas,
    suspended,
    toRestart: due.length,
    maxUnavailable: rollout.maxUnavailable,
    conflicts,
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
