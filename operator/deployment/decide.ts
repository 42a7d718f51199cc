import type { KubeObject } from "../../charts/kubernetes.ts";
import { labels } from "../../charts/names.ts";
import { groupStatefulSet, sharedObjects } from "../../charts/render.ts";
import type { Refusal } from "../../synth/serving-plan.ts";
import { deletion, find, isOurs, keep } from "./children.ts";
import { currentRevision, oldRevisions } from "./current-revision.ts";
import type { Revision } from "./frozen.ts";
import { form, staleRanks, updateGroup } from "./group-steps.ts";
import { type Group, isServing } from "./groups.ts";
import type { Child } from "./objects.ts";
import type { Observed } from "./observed.ts";
import { groupsToUpdate } from "./rollout.ts";
import { groupsToRemove, newGroupIds } from "./scaling.ts";
import type { Stages, Step } from "./steps.ts";

export interface Decision {
  readonly stages: Stages;
  /** The revision groups should run; undefined while no request was ever accepted. */
  readonly current: Revision | undefined;
  /** Why the request as it stands can't work; groups of an earlier revision go on. */
  readonly refusals: readonly Refusal[];
  readonly nextGroupId: number;
  /** Objects in the way: they have our name and another controller. */
  readonly conflicts: readonly string[];
}

/** Decides what to write next for one deployment. Pure: the same observation gives the same steps. */
export function decide(observed: Observed): Decision {
  const { revision: current, refusals, write } = currentRevision(observed);
  const nextGroupId = Math.max(observed.nextGroupId ?? 0, ...observed.groups.map(({ id }) => id + 1), 0);
  if (current === undefined || !observed.spec.ok)
    return { stages: [], current, refusals, nextGroupId, conflicts: [] };

  const conflicts: string[] = [];
  const want = (desired: KubeObject, live: Child | undefined): Step[] => {
    const step = keep(observed.owner, desired, live);
    if (step === "conflict") conflicts.push(`${desired.kind} ${desired.metadata.name}`);
    return step === "conflict" || step === undefined ? [] : [step];
  };

  const shared = sharedObjects(current.plan, observed.owner);
  const sharedSteps = shared.flatMap((desired) => want(desired, find(observed.children, desired)));
  const unwanted = observed.children
    .filter((child) => isOurs(child, observed.owner) && find(shared, child) === undefined)
    .map((child) => deletion(child, "no longer part of the plan"));

  const serves = (group: Group): boolean => isServing(group, labels.revision);
  const live = observed.groups.filter(
    ({ statefulSet }) => statefulSet.metadata.deletionTimestamp === undefined,
  );
  const { replicas } = observed.spec.value;
  const missing = replicas - live.length;
  const added = newGroupIds(
    observed.groups.map(({ id }) => id),
    nextGroupId,
    missing,
  );
  const removed = groupsToRemove(live, -missing, current.hash, serves);
  const kept = live.filter((group) => !removed.includes(group));
  const turn = groupsToUpdate(kept, current.hash, serves);

  const statefulSet = (revision: Revision, groupId: number): KubeObject =>
    groupStatefulSet({
      plan: revision.plan,
      revision: revision.hash,
      groupId,
      template: revision.template,
      owner: observed.owner,
    });
  const creations = added.flatMap((id) => want(statefulSet(current, id), undefined));
  const groupSteps = kept.flatMap((group): Step[] => {
    if (turn.includes(group)) return updateGroup(group, statefulSet(current, group.id), current, observed);
    const own =
      group.revision === current.hash
        ? current
        : observed.revisions.find(({ hash }) => hash === group.revision);
    const drift = own === undefined ? [] : want(statefulSet(own, group.id), group.statefulSet);
    return drift.length > 0 ? drift : [...staleRanks(group), ...form(group)];
  });
  const removals = removed.map((group) => ({
    ...deletion(group.statefulSet, `scaled down to ${replicas}`),
    event: "ScaledDown",
  }));

  const history = oldRevisions(observed, current).flatMap(({ object }) =>
    object === undefined ? [] : [deletion(object, "beyond the kept history")],
  );
  return {
    stages: [
      write === undefined ? [] : [write],
      [...sharedSteps, ...unwanted],
      [...creations, ...groupSteps, ...removals, ...history],
    ],
    current,
    refusals,
    nextGroupId: Math.max(nextGroupId, ...added.map((id) => id + 1)),
    conflicts,
  };
}
