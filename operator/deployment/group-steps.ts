import type { KubeObject } from "../../charts/kubernetes.ts";
import { annotations, labels, schedulingGate } from "../../charts/names.ts";
import { resources } from "../../charts/resources.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import { firstDifference, overlay } from "./difference.ts";
import { type Formation, formationRecord, nextFormationMove, openGatePatch } from "./formation.ts";
import type { Revision } from "./frozen.ts";
import { type Group, isTerminating } from "./groups.ts";
import { controllerOf } from "./objects.ts";
import type { Observed } from "./observed.ts";
import type { Step } from "./steps.ts";

/** A rank that lost its peers can finish nothing, and before SGLang 0.5.21 ranks above 0 ignore SIGTERM. */
const rebuildGraceSeconds = 10;

/** A group changes as one: the template first, then every pod of the old revision goes. */
export function updateGroup(
  group: Group,
  desired: KubeObject,
  current: Revision,
  observed: Observed,
): Step[] {
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

/** Pods of another revision than their group's: they go, all at once. */
export function staleRanks(group: Group): Step[] {
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

/** The next step of a whole group towards meeting, or towards meeting again. */
export function form(group: Group): Step[] {
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
