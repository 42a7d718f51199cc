import { z } from "zod";
import { type Group, isGated, isTerminating } from "./groups.ts";
import type { Pod } from "./objects.ts";

/**
 * Which pods of a multi-node group belong together, and the port they meet at. Written on the StatefulSet before the first
 * gate opens, so that a new leader can complete what a crashed one began.
 */
export const formationRecord = z.object({
  id: z.int().min(1),
  port: z.int(),
  /** Pod name to UID. */
  pods: z.record(z.string(), z.string()),
});
export type Formation = z.output<typeof formationRecord>;

/** What the group needs next. `rebuild`: a rank of the formation is gone, so every pod of it has to go. */
export type FormationMove =
  | { readonly move: "none" }
  | { readonly move: "record"; readonly formation: Formation }
  | { readonly move: "open"; readonly formation: Formation; readonly pods: readonly Pod[] }
  | { readonly move: "rebuild"; readonly pods: readonly Pod[]; readonly reason: string };

const none: FormationMove = { move: "none" };

/** First port of the formations. With 40 ports each, 250 of them end below SGLang's default HTTP port 30000. */
const firstPort = 20_000;
const portStep = 40;
const portCount = 250;

/**
 * A rank that comes late must not join the next formation, so neighbours in time have ports apart. SGLang binds up to
 * port + 13 + DP ranks on rank 0 (DP attention), hence the step.
 */
export const formationPort = (id: number): number => firstPort + ((id - 1) % portCount) * portStep;

/** Decides from the pods and the last record alone. `gate` is the scheduling gate's name. */
export function nextFormationMove(group: Group, current: Formation | undefined, gate: string): FormationMove {
  if (group.ranks < 2 || group.statefulSet.metadata.deletionTimestamp !== undefined) return none;
  const pods = group.pods.filter((pod) => pod !== undefined);
  const members = new Set(Object.values(current?.pods ?? {}));
  const living = pods.filter((pod) => !isTerminating(pod));
  const present = living.filter((pod) => members.has(pod.metadata.uid));
  const open = living.filter((pod) => !isGated(pod));
  const lost = members.size - present.length;
  // Pods past the gate that no record names can't be completed to a group: the record was lost, or edited.
  const strangers = open.length < group.ranks && open.some((pod) => !members.has(pod.metadata.uid));

  if (lost > 0 || strangers) {
    const broken = living.filter((pod) => members.has(pod.metadata.uid) || !isGated(pod));
    if (broken.length > 0) return { move: "rebuild", pods: broken, reason: lossOf(current, present) };
  }
  if (pods.length < group.ranks || pods.some(isTerminating)) return none;

  if (current !== undefined && present.length === group.ranks) {
    const held = pods.filter((pod) => isHeldBy(pod, gate));
    return held.length > 0 ? { move: "open", formation: current, pods: held } : none;
  }
  // Another gate (a queue's) beside ours: its owner decides first.
  if (!pods.every((pod) => isHeldBy(pod, gate))) return none;
  const id = (current?.id ?? 0) + 1;
  return {
    move: "record",
    formation: {
      id,
      port: formationPort(id),
      pods: Object.fromEntries(pods.map((pod) => [pod.metadata.name, pod.metadata.uid])),
    },
  };
}

function lossOf(current: Formation | undefined, present: readonly Pod[]): string {
  const lost = Object.keys(current?.pods ?? {}).filter(
    (name) => !present.some((pod) => pod.metadata.name === name),
  );
  return lost.length > 0
    ? `formation ${current?.id} lost ${lost.join(", ")}`
    : "its formation is not on record";
}

const isHeldBy = (pod: Pod, gate: string): boolean =>
  pod.spec.schedulingGates?.length === 1 && pod.spec.schedulingGates[0]?.name === gate;

/** JSON patch that lets one pod join: it says where to meet and takes the gate away, on exactly this pod. */
export function openGatePatch(pod: Pod, annotations: Readonly<Record<string, string>>): readonly object[] {
  const write =
    pod.metadata.annotations === undefined
      ? [{ op: "add", path: "/metadata/annotations", value: annotations }]
      : Object.entries(annotations).map(([key, value]) => ({
          op: "add",
          path: `/metadata/annotations/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`,
          value,
        }));
  return [
    { op: "test", path: "/metadata/uid", value: pod.metadata.uid },
    ...write,
    { op: "remove", path: "/spec/schedulingGates" },
  ];
}
