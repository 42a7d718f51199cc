/** What was done to the pods of a namespace, from the API server's audit log. */
import { z } from "zod";
import { annotations } from "../../charts/names.ts";
import { formationRecord } from "../../operator/deployment/formation.ts";
import { type AuditRecord, readAudit } from "../controlplane/audit.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { operatorUser } from "../e2e/operator.ts";
import { groupOrdinals } from "./ordinals.ts";

export interface Deeds {
  /**
   * How often each object was made, by anybody, and each pod removed, by the operator: "create pods/pro-0-1" → 2. Groups
   * have ordinals for ids. Of ranks with a gate only pods that were let in count: a StatefulSet may replace others between
   * the end of its rank 0 and its own, and they hold nothing.
   */
  readonly counts: ReadonlyMap<string, number>;
  /** UIDs of pods that the operator deleted again though they were going already; by force on a lost node doesn't count. */
  readonly deletedTwice: readonly string[];
  /** Formations of which some ranks were let in and others never, though no later one took their place: "pro-0 formation 2". */
  readonly halfOpened: readonly string[];
}

const statefulSetController = "system:serviceaccount:kube-system:statefulset-controller";

/** The deeds since `from`, by namespace. */
export async function deedsByNamespace(
  { auditLog }: ControlPlane,
  from: Date,
): Promise<ReadonlyMap<string, Deeds>> {
  const records = await readAudit(
    auditLog,
    ({ user, mutating, code, time }) =>
      mutating &&
      (code < 300 || code >= 500) &&
      time >= from &&
      [operatorUser, statefulSetController].includes(user),
  );
  return new Map(
    [...Map.groupBy(records, ({ namespace }) => namespace)].map(([name, own]) => [name, deedsOf(own)]),
  );
}

/** @param attempts with those that ended in an error of the server's: what was written all the same when its caller had gone. */
function deedsOf(attempts: readonly AuditRecord[]): Deeds {
  const records = attempts.filter(({ code }) => code < 300);
  const counts = new Map<string, number>();
  const add = (deed: string, count: number): unknown => counts.set(deed, (counts.get(deed) ?? 0) + count);
  const groups = records.filter(({ verb, resource }) => verb === "create" && resource === "statefulsets");
  const { inName } = groupOrdinals(groups.map(({ name }) => name));
  const openings = openingsOf(records);
  const letIn = new Map(
    [...Map.groupBy(openings, ({ pod }) => pod)].map(([pod, own]) => [
      pod,
      new Set(own.map(({ uid }) => uid)),
    ]),
  );
  const deletions: string[] = [];
  const removed = new Set<string>();
  for (const record of records) {
    const { verb, resource, name, user } = record;
    const deletes = verb === "delete" && user === operatorUser;
    if (resource === "events" || !(verb === "create" || deletes)) continue;
    if (deletes && resource === "statefulsets") removed.add(name);
    if (resource === "pods") {
      if (deletes && !isForced(record)) deletions.push(uidOf(record));
      // The garbage collector removes the ranks of a removed group, too, and may be first.
      if (deletes && removed.has(groupOf(name))) continue;
      const gated = letIn.get(name);
      if (gated !== undefined && !(deletes && gated.has(uidOf(record)))) continue;
    }
    // The name of a revision depends on its namespace.
    add(`${verb} ${resource}${resource === "controllerrevisions" ? "" : `/${inName(name)}`}`, 1);
  }
  for (const [name, uids] of letIn) add(`create pods/${inName(name)}`, uids.size);
  return {
    counts,
    deletedTwice: deletions.filter((uid, index) => deletions.indexOf(uid) !== index),
    // The end of a story shows whether a rank was let in that only an error tells of.
    halfOpened: halfOpened(attempts, openingsOf(attempts)),
  };
}

/** What was done more often than in the undisturbed run, in words. */
export const excess = ({ counts }: Deeds, undisturbed: Deeds): string[] =>
  [...counts].flatMap(([deed, count]) => {
    const allowed = undisturbed.counts.get(deed) ?? 0;
    return count > allowed ? [`${deed}: ${count} times, undisturbed ${allowed}`] : [];
  });

const deleteOptions = z.object({
  preconditions: z.object({ uid: z.string() }).optional(),
  gracePeriodSeconds: z.int().optional(),
});
/** Deletes are bound to one UID; one that isn't counts as any other of its kind. */
const uidOf = ({ requestObject }: AuditRecord): string =>
  deleteOptions.parse(requestObject).preconditions?.uid ?? "any UID";
const isForced = ({ requestObject }: AuditRecord): boolean =>
  deleteOptions.parse(requestObject).gracePeriodSeconds === 0;

const jsonPatch = z.array(z.looseObject({ op: z.string(), path: z.string(), value: z.unknown().optional() }));
const formationPath = `/metadata/annotations/${annotations.formation.replace("/", "~1")}`;

/** Every JSON patch that the operator made of objects of a kind. */
const patchesOf = (records: readonly AuditRecord[], kind: string) =>
  records.flatMap(({ user, verb, resource, subresource, name, requestObject }) => {
    const isOurs = user === operatorUser && verb === "patch" && resource === kind && subresource === "";
    const patch = isOurs ? jsonPatch.safeParse(requestObject).data : undefined;
    return patch === undefined ? [] : [{ name, patch }];
  });

/** A pod whose gate the operator took away. */
interface Opening {
  readonly pod: string;
  readonly uid: string;
  readonly formation: string;
}

function openingsOf(records: readonly AuditRecord[]): Opening[] {
  return patchesOf(records, "pods").flatMap(({ name, patch }) => {
    if (!patch.some(({ path }) => path === "/spec/schedulingGates")) return [];
    const test = patch.find(({ path }) => path === "/metadata/uid");
    return [{ pod: name, uid: z.string().parse(test?.value), formation: formationOf(patch) }];
  });
}

/** Of a rank's pod, the StatefulSet. */
const groupOf = (pod: string): string => pod.replace(/-\d+$/, "");

/** Compares who was on record for each formation with who was let in. */
function halfOpened(records: readonly AuditRecord[], openings: readonly Opening[]): string[] {
  const wanted = new Map<string, string[]>();
  const latest = new Map<string, number>();
  for (const { name, patch } of patchesOf(records, "statefulsets")) {
    const record = patch.find(({ path }) => path === formationPath)?.value;
    if (record === undefined) continue;
    const { id, pods } = formationRecord.parse(JSON.parse(z.string().parse(record)));
    wanted.set(`${name} formation ${id}`, Object.keys(pods));
    latest.set(name, Math.max(id, latest.get(name) ?? 0));
  }
  const opened = Map.groupBy(openings, ({ pod, formation }) => `${groupOf(pod)} formation ${formation}`);
  return [...opened].flatMap(([key, [first, ...others]]) => {
    const pods = wanted.get(key);
    if (first === undefined || pods === undefined) return [key];
    const isGivenUp = Number(first.formation) < (latest.get(groupOf(first.pod)) ?? 0);
    const letIn = [first, ...others].map(({ pod }) => pod);
    return isGivenUp || pods.every((pod) => letIn.includes(pod)) ? [] : [key];
  });
}

/** A pod without annotations gets them all at once. */
function formationOf(patch: z.output<typeof jsonPatch>): string {
  const writes = patch.filter(({ op }) => op !== "test");
  const single = writes.find(({ path }) => path === formationPath)?.value;
  const whole = writes.find(({ path }) => path === "/metadata/annotations")?.value;
  return z.string().parse(single ?? z.record(z.string(), z.string()).parse(whole)[annotations.formation]);
}
