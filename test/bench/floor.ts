/** The floor: the writes of a controller sent again by a loop that only sends, for as many groups. */
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { ApiResource } from "../../charts/kubernetes.ts";
import { resources } from "../../charts/resources.ts";
import { collectionPath, objectPath, withQuery } from "../../operator/runtime/paths.ts";
import { type ApiRequest, askApi, callApi } from "../controlplane/api.ts";
import type { AuditRecord } from "../controlplane/audit.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import type { Progress } from "../controlplane/go-programs.ts";
import { groupSize, inParallel, type Pace, paceOf } from "./creation.ts";
import type { GroupRef } from "./group-pods.ts";
import type { GroupSystem } from "./group-system.ts";
import { createNamespaces } from "./namespaces.ts";
import { observe } from "./observer.ts";
import { groupOf } from "./requests.ts";

const workers = 16;
/** Until a pod may exist that was not there. */
const againMilliseconds = 50;

/** One write as it was sent for a group, in which the names of group and namespace and the owner's UID stand. */
interface Write {
  readonly method: NonNullable<ApiRequest["method"]>;
  readonly path: string;
  readonly body: string;
  readonly contentType: string;
}

/** All writes for one group, in the order in which they were sent. */
export interface Recording {
  readonly group: GroupRef;
  readonly ownerUid: string;
  readonly writes: readonly Write[];
}

/** Of the group with the middling number of writes. @param audit the controller's writes while it made the groups. */
export function recordWrites(audit: readonly AuditRecord[], groups: readonly GroupRef[]): Recording {
  const byGroup = Map.groupBy(audit, groupOf);
  const sorted = groups
    .map((group) => ({ group, records: byGroup.get(group.name) ?? [] }))
    .sort((a, b) => a.records.length - b.records.length);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new Error("no group was recorded");
  const records = middle.records.toSorted((a, b) => a.time.getTime() - b.time.getTime());
  const owned = records.flatMap(({ requestObject }) => ownedObject.safeParse(requestObject).data ?? []);
  const ownerUid = owned[0]?.metadata.ownerReferences[0]?.uid;
  if (ownerUid === undefined) throw new Error(`nothing owned was recorded of ${middle.group.name}`);
  return { group: middle.group, ownerUid, writes: records.map(writeOf) };
}

const ownedObject = z.object({
  metadata: z.object({ ownerReferences: z.array(z.object({ uid: z.string() })) }),
});
/** Tests of a patch are about objects that are others now. */
const jsonPatch = z
  .array(z.looseObject({ op: z.string() }))
  .transform((operations) => operations.filter(({ op }) => op !== "test"));

function writeOf({ verb, group, resource, subresource, namespace, name, requestObject }: AuditRecord): Write {
  const known = Object.values<ApiResource>(resources).find(
    (each) => each.plural === resource && each.group === group,
  );
  if (known === undefined) throw new Error(`no write to ${resource} can be sent again`);
  const ref = { namespace, name };
  const object = objectPath(known, ref, subresource === "" ? undefined : subresource);
  const query = { fieldManager: "floor" };
  const patch = jsonPatch.safeParse(requestObject);
  const body = JSON.stringify(patch.success ? patch.data : requestObject);
  switch (verb) {
    case "create": {
      const path = withQuery(collectionPath(known, namespace), query);
      return { method: "POST", path, body, contentType: "application/json" };
    }
    case "patch": {
      const contentType = `application/${patch.success ? "json" : "merge"}-patch+json`;
      return { method: "PATCH", path: withQuery(object, query), body, contentType };
    }
    default:
      throw new Error(`a new group needs no ${verb} of ${resource}`);
  }
}

interface Task {
  readonly group: GroupRef;
  readonly ownerUid: string;
  /** Index of the next write. */
  next: number;
  notBefore: number;
}

const created = z.object({ metadata: z.object({ uid: z.string() }) });

/** Posts all groups at once, as a user would, and sends the recorded writes for each; a pod's once it exists. */
export async function measureFloor(
  controlPlane: ControlPlane,
  system: Pick<GroupSystem, "resource" | "objectOf">,
  recording: Recording,
  groups: readonly GroupRef[],
  onProgress: Progress,
): Promise<Pace> {
  await createNamespaces(controlPlane, groups);
  const observer = await observe(controlPlane, system.resource, 1);
  const posted = new Map<string, number>();
  const pending: Task[] = [];
  let finished = 0;
  const startedAt = performance.now();

  const post = (group: GroupRef): Promise<void> => {
    posted.set(group.name, performance.now());
    const path = collectionPath(system.resource, group.namespace);
    const body = system.objectOf(group, groupSize);
    return callApi(controlPlane, path, { method: "POST", body }).then((answer) => {
      const { uid } = created.parse(answer).metadata;
      pending.push({ group, ownerUid: uid, next: 0, notBefore: 0 });
    });
  };
  const work = async (): Promise<void> => {
    while (finished < groups.length) {
      const task = pending.shift();
      if (task === undefined) await delay(1);
      else if (task.notBefore > performance.now()) {
        pending.push(task);
        await delay(1);
      } else if (await sendAll(controlPlane, recording, task)) finished += 1;
      else pending.push(task);
    }
  };
  const [pace] = await Promise.all([
    inParallel(workers, groups, post).then(() => paceOf(observer, startedAt, posted, onProgress)),
    ...Array.from({ length: workers }, work),
  ]);
  await observer.stop();
  return pace;
}

/** False when an object of another controller isn't there yet. */
async function sendAll(controlPlane: ControlPlane, recording: Recording, task: Task): Promise<boolean> {
  for (; task.next < recording.writes.length; task.next += 1) {
    const write = recording.writes[task.next];
    if (write === undefined) break;
    const mine = (text: string): string =>
      text
        .replaceAll(new RegExp(`\\b${recording.group.name}\\b`, "g"), task.group.name)
        .replaceAll(recording.group.namespace, task.group.namespace)
        .replaceAll(recording.ownerUid, task.ownerUid);
    const { method, contentType } = write;
    const path = mine(write.path);
    const { status, body } = await askApi(controlPlane, path, {
      method,
      contentType,
      text: mine(write.body),
    });
    if (status === 404) {
      task.notBefore = performance.now() + againMilliseconds;
      return false;
    }
    if (status > 299) throw new Error(`${method} ${path} answered ${status}: ${body}`);
  }
  return true;
}
