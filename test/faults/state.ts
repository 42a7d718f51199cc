/** What is in a namespace, freed of what differs between two runs of the same story. */
import { z } from "zod";
import { inKeyOrder } from "../../charts/key-order.ts";
import type { ApiResource } from "../../charts/kubernetes.ts";
import { annotations, labels } from "../../charts/names.ts";
import { resources } from "../../charts/resources.ts";
import { collectionPath } from "../../operator/runtime/paths.ts";
import { type ApiAccess, callApi } from "../controlplane/api.ts";
import { groupOrdinals, type Ordinals } from "../lifecycle/ordinals.ts";

const metadata = z.object({
  name: z.string(),
  namespace: z.string(),
  uid: z.string(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  deletionTimestamp: z.string().optional(),
  ownerReferences: z
    .array(z.object({ kind: z.string(), name: z.string(), controller: z.boolean().optional() }))
    .default([]),
});
const object = z.looseObject({ metadata });
const list = z.object({ items: z.array(object) });
type Stored = z.output<typeof object>;

/** What a test writes onto an object to change it between the operator's look and its write. */
export const touched = "test.mimo.dev/touched";

const kinds: readonly ApiResource[] = [
  resources.mimoDeployments,
  resources.statefulSets,
  resources.pods,
  resources.controllerRevisions,
  resources.services,
  resources.podDisruptionBudgets,
  resources.networkPolicies,
  resources.computeDomains,
];

/** Of the StatefulSet controller's making, over a template that names its namespace. */
const revisionHash = "controller-revision-hash";

/** Objects by kind and name; a child that is gone is missing. */
export type State = Readonly<Record<string, unknown>>;

/**
 * The state of every namespace that has a deployment or something of one. Ids of groups, names of namespaces and nodes,
 * revisions' hashes, UIDs and times are replaced by what they stand for, so that equal stories give equal states. A UID of an object that is
 * not there any more stays, and makes a difference.
 */
export async function statesByNamespace(access: ApiAccess): Promise<ReadonlyMap<string, State>> {
  const stored = await Promise.all(
    kinds.map(async (resource) => {
      const { items } = list.parse(await callApi(access, collectionPath(resource)));
      return items.filter(isOfDeployment(resource)).map((item) => ({ resource, item }));
    }),
  );
  const byNamespace = Map.groupBy(stored.flat(), ({ item }) => item.metadata.namespace);
  return new Map([...byNamespace].map(([namespace, all]) => [namespace, stateOf(namespace, all)]));
}

/** Leaves out what other controllers keep for themselves. */
const isOfDeployment =
  (resource: ApiResource) =>
  ({ metadata }: Stored): boolean =>
    resource === resources.mimoDeployments ||
    metadata.labels[resource === resources.controllerRevisions ? labels.revisionOf : labels.deployment] !==
      undefined;

interface Located {
  readonly resource: ApiResource;
  readonly item: Stored;
}

function stateOf(namespace: string, all: readonly Located[]): State {
  const groups = all.filter(({ resource }) => resource === resources.statefulSets);
  const ordinals = groupOrdinals(groups.map(({ item }) => item.metadata.name));
  const parts = all.map(({ resource, item }) => {
    const name = ordinals.inName(item.metadata.name);
    return [`${resource.plural}/${name}`, essence(resource, item)] as const;
  });
  const numbers = new Map(
    all
      .filter(({ resource }) => resource === resources.controllerRevisions)
      .map(({ item }) => [item.metadata.labels[labels.revision], `revision-${item.revision}`] as const),
  );
  // A deployment's last pods may outlive its revisions.
  const revisions = all.flatMap(({ item }): [string, string][] => {
    const hash = item.metadata.labels[labels.revision];
    return hash === undefined ? [] : [[hash, numbers.get(hash) ?? "a former revision"]];
  });
  const uids = all.map(
    ({ item }) => [item.metadata.uid, `uid of ${ordinals.inName(item.metadata.name)}`] as const,
  );
  const names = new Map([...uids, ...revisions, [namespace, "namespace"]]);
  const text = [...names].reduce(
    (sofar, [from, to]) => sofar.replaceAll(from, to),
    JSON.stringify(inKeyOrder(Object.fromEntries(parts)), withOrdinals(ordinals))
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "time")
      .replace(/\b1\d{12}\b/g, "0")
      .replace(/\bgpu-\d+\b/g, "node")
      // Of two pods with the same trouble either may be seen first.
      .replace(/pod \S+ can't start/g, "a pod can't start"),
  );
  return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
}

/** For `JSON.stringify`: puts ordinals for the ids of groups, wherever they stand. */
function withOrdinals({ ids, ofId, inName }: Ordinals): (key: string, value: unknown) => unknown {
  return (key, value) => {
    switch (typeof value) {
      case "number":
        if (key === "nextGroupId") return value - 1 - Math.max(-1, ...ids);
        return key === "id" ? ofId(value) : value;
      case "string":
        if (key === labels.group) return String(ofId(Number(value)));
        return value
          .replace(/\b[a-z]+-\d+(-\d+)?\b/g, inName)
          .replace(/\bgroup (\d+)\b/g, (_, id: string) => `group ${ofId(Number(id))}`);
      default:
        return value;
    }
  };
}

function essence(resource: ApiResource, { metadata, spec, status, data, revision }: Stored): object {
  const { [revisionHash]: _hash, ...kept } = metadata.labels;
  const { [annotations.applied]: _applied, [touched]: _touched, ...notes } = metadata.annotations;
  const common = {
    labels: kept,
    annotations: notes,
    owners: metadata.ownerReferences,
    going: metadata.deletionTimestamp !== undefined,
  };
  switch (resource) {
    case resources.pods:
      return { ...common, ...podEssence({ spec, status }) };
    case resources.mimoDeployments:
      return { ...common, spec, status };
    case resources.controllerRevisions:
      return { ...common, revision, data };
    case resources.services:
      return { ...common, spec: serviceSpec.parse(spec) };
    default:
      return { ...common, spec };
  }
}

const serviceSpec = z.looseObject({}).transform(({ clusterIP: _ip, clusterIPs: _ips, ...spec }) => spec);

const podParts = z.object({
  spec: z.object({ schedulingGates: z.array(z.object({ name: z.string() })).default([]) }),
  status: z.object({
    phase: z.string().default(""),
    conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
  }),
});

function podEssence(pod: object): object {
  const { spec, status } = podParts.parse(pod);
  const ready = status.conditions.find(({ type }) => type === "Ready")?.status;
  return { gates: spec.schedulingGates.map(({ name }) => name), phase: status.phase, ready };
}
