import type { KubeObject } from "../../charts/kubernetes.ts";
import { annotations } from "../../charts/names.ts";
import { groupStatefulSet, sharedObjects } from "../../charts/render.ts";
import { revisionLabels } from "../../charts/revision.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import { adoption, creation, deletion, find, isOurs, keep, remark } from "./children.ts";
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
import { type Group, isGated, presentPods, serves } from "./groups.ts";
import { type Circumstances, nodeTimeouts } from "./loss.ts";
import type { Observed } from "./observed.ts";
import { type Obstacle, obstacleRetrySeconds } from "./obstacles.ts";
import type { Site } from "./opening.ts";
import { releaseSteps } from "./queueing.ts";
import { type RecoveryPolicy, recoveryPolicy } from "./recovery.ts";
import type { Pledge } from "./reservations.ts";
import { withRestartMark } from "./restart.ts";
import { type Roster, rosterOf } from "./roster.ts";
import { differences } from "./settled.ts";
import type { PlacementProblem } from "./shortage.ts";
import type { Stages, Step } from "./steps.ts";
import { findTarget, isAdoption, oldRevisions, type Target } from "./target.ts";
import { failureOf, rollsBack } from "./verdict.ts";

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

  const policy = recoveryPolicy(spec.value.recovery);
  const circumstances: Circumstances = {
    nodes: observed.nodes,
    tombstones: observed.tombstones,
    nodeLossTimeoutSeconds: policy.nodeLossTimeoutSeconds,
    now: observed.now,
  };
  const revisionOf = (hash: string): Revision | undefined =>
    hash === revision.hash ? revision : observed.revisions.find((each) => each.hash === hash);
  const failure = failureOf(revision, observed);
  const roster = rosterOf(observed, spec.value, revision, nextGroupId, failure !== undefined);
  const { staying, newcomers, wish, obstacle, shortage } = roster;

  const planned = observed.groups.map((group) => ({ ...group, plan: revisionOf(group.revision)?.plan }));
  const coming = newcomers.map((id) => ({ id, plan: roster.revision.plan }));
  const creations = newcomers.map((id) =>
    creation(withRestartMark(render(roster.revision, id, observed), wish)),
  );
  // Ranks wait at their gate, which opens in a later look: what counts only for pods that run can be made in that one.
  const isBeginning = observed.groups.length === 0 && newcomers.length > 0 && roster.revision.plan.nodes > 1;
  const shared = [
    ...(isBeginning
      ? []
      : differences(revision.plan, observed.children, () => compareShared(revision, observed))),
    ...gangSteps([...planned.map(({ id, plan = revision.plan }) => ({ id, plan })), ...coming], observed),
  ];
  const works = workOf(roster, revision, revisionOf, policy, circumstances, observed);
  const stays = new Set(staying.map(({ id }) => id));
  const computeDomains = makeComputeDomains(
    [...planned.filter(({ id }) => stays.has(id)), ...coming],
    observed,
  );
  const releases = releaseSteps(
    [...observed.groups.flatMap(presentPods), ...observed.strays],
    observed.workloads,
    new Set([...stays].map(String)),
  );
  const removals = roster.leaving.map((group) =>
    removeGroup(group, group.stopping ?? roster.reason, circumstances),
  );
  const wakes = [
    ...works.flatMap(({ wakeMilliseconds = [] }) => wakeMilliseconds),
    ...nodeTimeouts(circumstances),
    ...(obstacle === undefined ? [] : [obstacleRetrySeconds * 1000]),
  ];
  return {
    stages: [
      target.write === undefined ? rollsBack(spec.value, target, observed, failure) : [target.write],
      [
        ...shared.filter((found) => typeof found !== "string"),
        ...(target.write === undefined ? keptRevisions(observed) : []),
        ...releases,
        ...computeDomains,
      ],
      [
        ...creations,
        ...works.flatMap(({ stages }) => stages.flat()),
        ...removals.flatMap(({ atOnce }) => atOnce),
        ...deadPods(observed.strays, circumstances),
        ...forgotten(observed, [target.requested, revision]),
        ...removeComputeDomains(planned, observed),
      ],
      removals.flatMap(({ afterwards }) => afterwards),
    ],
    target,
    adopting: !roster.suspended && isAdoption(observed, target.requested),
    nextGroupId,
    replicas: roster.replicas,
    suspended: roster.suspended,
    toRestart: roster.toRestart,
    maxUnavailable: roster.maxUnavailable,
    conflicts: shared.filter((found) => typeof found === "string"),
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
    ...(shortage === undefined ? {} : { shortage }),
    ...(failure === undefined ? {} : { failure }),
    ...(wakes.length === 0 ? {} : { wakeMilliseconds: Math.min(...wakes) }),
  };
}

type WorkOnGroup = GroupWork & { readonly group: Group };

/** What the groups that stay need, one after the other: none counts on the nodes of another. */
function workOf(
  { staying, updated, wish }: Roster,
  target: Revision,
  revisionOf: (hash: string) => Revision | undefined,
  policy: RecoveryPolicy,
  circumstances: Circumstances,
  observed: Observed,
): WorkOnGroup[] {
  let { capacity } = observed;
  return staying.map((group): WorkOnGroup => {
    const own = revisionOf(group.revision);
    if (updated.has(group.id) && wish !== undefined && group.revision === target.hash)
      return { group, stages: [restartGroup(group, wish)] };
    if (updated.has(group.id)) {
      const desired = render(target, group.id, observed);
      return { group, stages: [updateGroup(group, desired, own, target, observed.owner.uid, wish)] };
    }
    const drift = own === undefined ? [] : driftOf(group, own, observed);
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
    if (work.reservation !== undefined)
      capacity = { ...capacity, reservations: [...others, work.reservation] };
    return { group, ...work };
  });
}

const render = ({ plan, hash, template }: Revision, groupId: number, { owner }: Observed): KubeObject =>
  groupStatefulSet({ plan, revision: hash, groupId, template, owner });

/** Steps towards what all groups share, and the names of objects in the way. */
function compareShared({ plan }: Revision, { owner, children }: Observed): (Step | string)[] {
  const wanted = sharedObjects(plan, owner);
  const unwanted = children.filter((child) => isOurs(child, owner) && find(wanted, child) === undefined);
  return [
    ...wanted.flatMap((desired) => keep(owner, desired, find(children, desired))),
    ...unwanted.map((child) => deletion(child, "no longer part of the plan")),
  ];
}

function driftOf(group: Group, own: Revision, observed: Observed): Step[] {
  const { statefulSet, id } = group;
  const compare = () => keep(observed.owner, render(own, id, observed), statefulSet);
  return differences(own.plan, [statefulSet], compare).filter((each) => typeof each !== "string");
}

/** Takes up revisions that a deletion with --cascade=orphan left behind, and puts their labels back. */
const keptRevisions = ({ name, revisions, owner }: Observed): Step[] =>
  revisions.flatMap(({ object, hash }) => {
    if (object === undefined) return [];
    if (!isOurs(object, owner)) return [adoption(object, owner)];
    const wanted = revisionLabels(name, hash);
    const lost = Object.keys(wanted).find((key) => object.metadata.labels?.[key] !== wanted[key]);
    return lost === undefined
      ? []
      : [remark(object, { labels: wanted }, `metadata.labels.${lost} is not as planned`)];
  });

const forgotten = (observed: Observed, needed: readonly (Revision | undefined)[]): Step[] =>
  oldRevisions(observed, needed).flatMap(({ object }) =>
    object === undefined ? [] : [deletion(object, "beyond the kept history")],
  );

/** The platform says that nodes of this kind come when pods wait for them. */
const addsNodes = (plan: ServingPlan | undefined, { platform }: Observed): boolean =>
  platform.ok &&
  platform.value?.hardware?.find(({ kind }) => kind === plan?.hardware)?.nodesOnDemand === true;
