import { z } from "zod";
import type { ApiResource, KubeObject } from "../../charts/kubernetes.ts";
import { resources } from "../../charts/resources.ts";
import { listAll } from "../runtime/list-all.ts";
import { formatAge } from "./age.ts";
import { type Cluster, getDeployment } from "./cluster-access.ts";
import { alignColumns } from "./table.ts";

/** By their older name, which the role view lets everyone read. */
const events: ApiResource = { group: "", version: "v1", plural: "events", kind: "Event", namespaced: true };

const event = z.object({
  metadata: z.object({ creationTimestamp: z.string() }),
  involvedObject: z.object({ kind: z.string().default(""), name: z.string().default("") }),
  type: z.string().default("Normal"),
  reason: z.string().default(""),
  message: z.string().default(""),
  eventTime: z.string().nullish(),
  lastTimestamp: z.string().nullish(),
  series: z.object({ lastObservedTime: z.string() }).nullish(),
});
type Event = z.output<typeof event>;

/** What was said of a deployment, its groups and their pods, oldest first. Kubernetes keeps it for an hour. */
export async function listEvents(cluster: Cluster, name: string): Promise<string> {
  const { client, namespace } = cluster;
  await getDeployment(cluster, name);
  const signal = new AbortController().signal;
  const read = (object: KubeObject): Event => event.parse(object);
  const { items } = await listAll(client, events, { namespace, read, signal });
  const lines = eventLines(items, name, new Date());
  return lines.length === 0 ? `nothing was said of ${name} within the last hour\n` : `${lines.join("\n")}\n`;
}

export function eventLines(all: readonly Event[], name: string, now: Date): string[] {
  const own = all
    .filter(({ involvedObject }) => isOf(involvedObject, name))
    .sort((a, b) => Date.parse(lastSeen(a)) - Date.parse(lastSeen(b)));
  if (own.length === 0) return [];
  return alignColumns([
    ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"],
    ...own.map((each) => [
      formatAge(lastSeen(each), now),
      each.type,
      each.reason,
      `${each.involvedObject.kind.toLowerCase()}/${each.involvedObject.name}`,
      each.message.split("\n").join("; "),
    ]),
  ]);
}

const lastSeen = ({ series, lastTimestamp, eventTime, metadata }: Event): string =>
  series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp;

/** Pods and StatefulSets may be gone by now; their names tell whose they were. */
function isOf({ kind, name: object }: Event["involvedObject"], name: string): boolean {
  if (kind === resources.mimoDeployments.kind) return object === name;
  const rest = object.startsWith(`${name}-`) ? object.slice(name.length + 1) : "";
  if (kind === resources.statefulSets.kind) return /^\d+$/.test(rest);
  return kind === resources.pods.kind && /^\d+-\d+$/.test(rest);
}
