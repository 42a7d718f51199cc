import type { KubeObject, OwnerReference } from "../../charts/kubernetes.ts";
import { annotations, labels, schedulingGate } from "../../charts/names.ts";
import { controllerRevision, groupStatefulSet, sharedObjects } from "../../charts/render.ts";
import { resourceOf, resources } from "../../charts/resources.ts";
import { freeze } from "../../charts/revision.ts";
import type { DeploymentSpec } from "../../crds/deployment.ts";
import type { PlatformSpec } from "../../crds/platform.ts";
import { planDeployment } from "../../synth/plan.ts";
import type { Refusal, ServingPlan } from "../../synth/serving-plan.ts";
import { firstDifference, overlay } from "./difference.ts";
import { type Formation, formationRecord, nextFormationMove, openGatePatch } from "./formation.ts";
import { type Revision, specHash } from "./frozen.ts";
import { type Group, isServing, isTerminating } from "./groups.ts";
import { type Child, controllerOf } from "./objects.ts";
import { groupsToUpdate } from "./rollout.ts";
import { groupsToRemove, newGroupIds } from "./scaling.ts";
import type { Stages, Step } from "./steps.ts";

/** What a stored object says, or why it can't be read: a field of another version, or a hand in etcd. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

/** What is known when a deployment is looked at. Everything comes from caches that show the operator's own writes. */
export interface Observed {
  readonly name: string;
  readonly namespace: string;
  readonly owner: OwnerReference;
  readonly spec: Reading<DeploymentSpec>;
  /** From status; undefined before the first report. */
  readonly nextGroupId: number | undefined;
  readonly platform: Reading<PlatformSpec | undefined>;
  readonly revisions: readonly Revision[];
  readonly groups: readonly Group[];
  /** Services, disruption budgets and network policies that carry the deployment's label, whoever controls them. */
  readonly children: readonly Child[];
}

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

/** A rank that lost its peers can finish nothing, and before SGLang 0.5.21 ranks above 0 ignore SIGTERM. */
const rebuildGraceSeconds = 10;

/** Revisions kept beyond those in use, for going back. */
const historyLimit = 10;

/** Decides what to write next for one deployment. Pure: the same observation gives the same steps. */
export function decide(observed: Observed): Decision {
  const { revision: current, refusals, write } = currentRevision(observed);
  const nextGroupId = Math.max(observed.nextGroupId ?? 0, ...observed.groups.map(({ id }) => id + 1), 0);
  if (current === undefined || !observed.spec.ok)
    return { stages: [], current, refusals, nextGroupId, conflicts: [] };

  const conflicts: string[] = [];
  const keep = (desired: KubeObject, live: Child | undefined): Step[] => {
    const step = keepAs(observed.owner, desired, live);
    if (step === "conflict") conflicts.push(`${desired.kind} ${desired.metadata.name}`);
    return step === "conflict" || step === undefined ? [] : [step];
  };

  const shared = sharedObjects(current.plan, observed.owner);
  const sharedSteps = shared.flatMap((desired) => keep(desired, find(observed.children, desired)));
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
  const creations = added.flatMap((id) => keep(statefulSet(current, id), undefined));
  const groupSteps = kept.flatMap((group): Step[] => {
    if (turn.includes(group)) return updateGroup(group, statefulSet(current, group.id), current, observed);
    const own =
      group.revision === current.hash
        ? current
        : observed.revisions.find(({ hash }) => hash === group.revision);
    const drift = own === undefined ? [] : keep(statefulSet(own, group.id), group.statefulSet);
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

interface CurrentRevision {
  readonly revision: Revision | undefined;
  readonly refusals: readonly Refusal[];
  /** Set when the revision isn't stored yet, or not as the newest. */
  readonly write?: Step;
}

/** A stored revision stands for as long as the intent does; only a new intent is planned with today's catalogue and platform. */
function currentRevision(observed: Observed): CurrentRevision {
  const { name, namespace, spec, platform, revisions, owner } = observed;
  const newest = [...revisions].sort((a, b) => b.number - a.number)[0];
  if (!spec.ok) return { revision: newest, refusals: spec.refusals };
  const intent = specHash(spec.value);
  if (newest?.specHash === intent) return { revision: newest, refusals: [] };
  if (!platform.ok) return { revision: newest, refusals: platform.refusals };

  const result = planDeployment({ name, namespace, spec: spec.value }, platform.value);
  if (!result.accepted) return { revision: newest, refusals: result.refusals };

  const { revision: hash, template } = freeze(result.plan);
  const number = (newest?.number ?? 0) + 1;
  const desired = controllerRevision({
    plan: result.plan,
    template,
    revision: hash,
    number,
    specHash: intent,
    owner,
  });
  const object = revisions.find((revision) => revision.hash === hash)?.object;
  const resource = resources.controllerRevisions;
  const write: Step =
    object === undefined
      ? { do: "create", resource, object: desired, reason: "freezes the plan of a new request" }
      : {
          do: "update",
          resource,
          object: overlay(object, desired),
          reason: "the request resolves to this earlier revision",
        };
  return {
    revision: { hash, number, specHash: intent, plan: result.plan, template, object },
    refusals: [],
    write,
  };
}

function keepAs(
  owner: OwnerReference,
  desired: KubeObject,
  live: Child | undefined,
): Step | "conflict" | undefined {
  const resource = resourceOf(desired);
  if (live === undefined) return { do: "create", resource, object: desired, reason: "part of the plan" };
  if (live.metadata.deletionTimestamp !== undefined) return undefined;
  if (controllerOf(live) !== undefined && !isOurs(live, owner)) return "conflict";
  const difference = firstDifference(live, desired);
  if (difference === undefined) return undefined;
  return {
    do: "update",
    resource,
    object: overlay(live, desired),
    reason: `${difference} is not as planned`,
  };
}

/** A group changes as one: the template first, then every pod of the old revision goes. */
function updateGroup(group: Group, desired: KubeObject, current: Revision, observed: Observed): Step[] {
  if (controllerOf(group.statefulSet)?.uid !== observed.owner.uid) return [];
  const from = observed.revisions.find(({ hash }) => hash === group.revision)?.plan;
  return [
    {
      do: "update",
      resource: resources.statefulSets,
      object: overlay(group.statefulSet, desired),
      reason: `revision ${group.revision} → ${current.hash}: ${planChange(from, current.plan)}`,
      event: "GroupUpdating",
    },
  ];
}

function planChange(from: ServingPlan | undefined, to: ServingPlan): string {
  if (from === undefined) return "the former plan is not known";
  const difference = firstDifference(from, to) ?? firstDifference(to, from);
  return difference === undefined ? "rendered anew" : `${difference} changed`;
}

function staleRanks(group: Group): Step[] {
  return group.pods
    .filter((pod) => pod !== undefined)
    .filter((pod) => !isTerminating(pod) && pod.metadata.labels?.[labels.revision] !== group.revision)
    .map((pod) => ({
      do: "delete",
      resource: resources.pods,
      name: pod.metadata.name,
      uid: pod.metadata.uid,
      reason: `is not of its group's revision ${group.revision}`,
    }));
}

function form(group: Group): Step[] {
  if (staleRanks(group).length > 0) return [];
  const move = nextFormationMove(group, recordedFormation(group), schedulingGate);
  switch (move.move) {
    case "none":
      return [];
    case "rebuild":
      return move.pods.map((pod) => ({
        do: "delete",
        resource: resources.pods,
        name: pod.metadata.name,
        uid: pod.metadata.uid,
        graceSeconds: rebuildGraceSeconds,
        reason: move.reason,
        event: "GroupRebuilding",
      }));
    case "record":
      return [
        {
          do: "patch",
          resource: resources.statefulSets,
          name: group.statefulSet.metadata.name,
          patch: [
            { op: "test", path: "/metadata/uid", value: group.statefulSet.metadata.uid },
            {
              op: "add",
              path: `/metadata/annotations/${annotations.formation.replace("/", "~1")}`,
              value: JSON.stringify(move.formation),
            },
          ],
          reason: `formation ${move.formation.id} meets at port ${move.formation.port}`,
        },
      ];
    case "open":
      return move.pods.map((pod) => ({
        do: "patch",
        resource: resources.pods,
        name: pod.metadata.name,
        patch: openGatePatch(pod, {
          [annotations.formation]: String(move.formation.id),
          [annotations.distPort]: String(move.formation.port),
        }),
        reason: `joins formation ${move.formation.id}`,
      }));
  }
}

function recordedFormation(group: Group): Formation | undefined {
  const written = group.statefulSet.metadata.annotations?.[annotations.formation];
  if (written === undefined) return undefined;
  const read = formationRecord.safeParse(parseJson(written));
  return read.success ? read.data : undefined;
}

/** undefined for what is no JSON: an annotation that somebody edited is as good as none. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function oldRevisions({ revisions, groups }: Observed, current: Revision): Revision[] {
  const used = new Set([current.hash, ...groups.map(({ revision }) => revision)]);
  const spare = revisions.filter(({ hash }) => !used.has(hash)).sort((a, b) => b.number - a.number);
  return spare.slice(historyLimit);
}

const isOurs = (object: KubeObject, owner: OwnerReference): boolean =>
  controllerOf(object)?.uid === owner.uid;

const find = <T extends KubeObject>(objects: readonly T[], { kind, metadata }: KubeObject): T | undefined =>
  objects.find((object) => object.kind === kind && object.metadata.name === metadata.name);

function deletion(child: Child, reason: string): Step & { do: "delete" } {
  return {
    do: "delete",
    resource: resourceOf(child),
    name: child.metadata.name,
    uid: child.metadata.uid,
    reason,
  };
}
