/** A story in which the operator does all that it is for, told in one namespace. */
import { z } from "zod";
import { apiVersionOf, type KubeObject } from "../../charts/kubernetes.ts";
import { labels, revisionName } from "../../charts/names.ts";
import { controllerRevision, renderDeployment } from "../../charts/render.ts";
import { resourceOf, resources } from "../../charts/resources.ts";
import { freeze } from "../../charts/revision.ts";
import { deploymentSpec } from "../../crds/deployment.ts";
import { type PlatformSpec, platformSpec } from "../../crds/platform.ts";
import { collectionPath, objectPath } from "../../operator/runtime/paths.ts";
import { planDeployment } from "../../synth/plan.ts";
import { callApi } from "../controlplane/api.ts";
import { deploymentsPath, type Stored, type TestCluster } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { restartContainer } from "../lifecycle/stories.ts";

export interface Stage {
  readonly cluster: TestCluster;
  readonly namespace: string;
}

type Spec = Readonly<Record<string, unknown>>;

const send = ({ cluster }: Stage, method: "POST" | "PATCH" | "DELETE", path: string, body?: unknown) =>
  callApi(cluster.controlPlane, path, {
    method,
    body,
    ...(method === "PATCH" && { contentType: "application/merge-patch+json" }),
  });

/** Has gangs of the queue for every deployment that comes from now on, placed by the cluster's own scheduler. */
export function platformWithQueue(system: "Volcano" | "SchedulerPlugins" | "Native"): PlatformSpec {
  const schedulerName = system === "Native" ? {} : { schedulerName: "default-scheduler" };
  return platformSpec.parse({ queue: { system, ...schedulerName } });
}

/** Groups of two nodes are made, updated, rebuilt, taken away, rolled back, and suspended. */
export async function changingGroups(stage: Stage): Promise<void> {
  const { cluster, namespace } = stage;
  const name = "changing";
  const pro = { variant: "MiMo-V2.5-Pro", hardware: "H20", rollout: { onFailure: "Rollback" } };
  await cluster.apply(namespace, name, { ...pro, replicas: 2 });
  await cluster.becomesReady(namespace, name);
  await cluster.apply(namespace, name, { ...pro, replicas: 2, contextLength: 65_536 });
  await cluster.becomesReady(namespace, name);
  await restartContainer(cluster, namespace, `${name}-0-1`);
  await eventually("the group is rebuilt", async () => {
    const { groups } = await cluster.status(namespace, name);
    return groups?.some(({ lastFailure }) => lastFailure?.reason === "OOMKilled") ? true : undefined;
  });
  await cluster.apply(namespace, name, { ...pro, contextLength: 65_536 });
  await cluster.becomesReady(namespace, name);
  const image = { repository: "unreachable.example.com/sglang", tag: "v0.5.18" };
  await cluster.apply(namespace, name, { ...pro, contextLength: 65_536, image });
  await cluster.condition(namespace, name, "Stalled", "True", "RolledBack");
  await cluster.apply(namespace, name, { ...pro, contextLength: 65_536, suspend: true });
  await eventually("no pod of it is left", async () =>
    (await cluster.pods(namespace)).some(({ metadata }) => metadata.name.startsWith(`${name}-`))
      ? undefined
      : true,
  );
}

/** More revisions come than are kept. */
export async function longHistory({ cluster, namespace }: Stage): Promise<void> {
  const name = "history";
  const flash = { variant: "MiMo-V2-Flash", hardware: "H200", replicas: 0 };
  const path = collectionPath(resources.controllerRevisions, namespace);
  const selector = encodeURIComponent(`${labels.revisionOf}=${name}`);
  const requests = 14;
  for (let index = 0; index < requests; index += 1) {
    const contextLength = 4096 + 1024 * index;
    await cluster.apply(namespace, name, { ...flash, contextLength });
    await eventually("its revision is on record", async () => {
      const { plan, observedGeneration } = await cluster.status(namespace, name);
      return (
        observedGeneration === index + 1 &&
        (await cluster.exists(`${path}/${revisionName(name, plan?.revision ?? "")}`))
      );
    });
  }
  await eventually("the oldest are gone", async () =>
    (await cluster.list(`${path}?labelSelector=${selector}`)).length < requests ? true : undefined,
  );
}

/** The log of a server that loads is read for its progress. */
export async function loadingServer({ cluster, namespace }: Stage): Promise<void> {
  const podTemplate = { annotations: { "kwok.mimo.dev/hold": "Loading" } };
  await cluster.apply(namespace, "loading", { variant: "MiMo-V2-Flash", hardware: "H200", podTemplate });
  await eventually("its server runs", async () => {
    const { groups } = await cluster.status(namespace, "loading");
    return groups?.some(({ state }) => state === "Starting") ? true : undefined;
  });
}

/** The same is refused twice: its Event is counted. */
export async function repeatedRefusal({ cluster, namespace }: Stage): Promise<void> {
  const flash = { variant: "MiMo-V2-Flash", hardware: "H200", replicas: 0 };
  const refused = { ...flash, server: { extraArgs: ["--tp-size=4"] } };
  for (const spec of [refused, flash, refused]) {
    await cluster.apply(namespace, "refused", spec);
    await cluster.condition(namespace, "refused", "Accepted", spec === flash ? "True" : "False");
  }
}

/**
 * One deployment of two nodes to a group: somebody else has all of its names, changes all that is made for it, and leaves
 * more of it lying about; a group goes, and then all of it.
 */
export async function contestedObjects(stage: Stage, spec: Spec, platform: PlatformSpec): Promise<void> {
  const { cluster, namespace } = stage;
  const name = "contested";
  const own = objectsOf(name, namespace, spec, platform);
  for (const object of own)
    await send(stage, "POST", collectionPath(resourceOf(object), namespace), inTheWay(object));
  await cluster.apply(namespace, name, spec);
  await clearTheWay(stage, name, own);
  await cluster.becomesReady(namespace, name);

  const { uid } = (await cluster.get(deploymentsPath(namespace, name))).metadata;
  const left = own.filter(({ kind }) => ["Service", "PodDisruptionBudget", "NetworkPolicy"].includes(kind));
  for (const object of left)
    await send(stage, "POST", pathOf(object, namespace), ofEarlierVersion(object, uid));
  for (const object of own)
    await send(stage, "PATCH", pathOf(object, namespace, nameOf(object)), drift(object));
  await eventually("all is as it was", async () => {
    for (const object of own) {
      const { metadata } = await cluster.get(pathOf(object, namespace, nameOf(object)));
      if (!isAsItWas(object, metadata, uid)) throw new Error(`${object.kind} ${nameOf(object)}`);
    }
    for (const object of left)
      if (await cluster.exists(pathOf(object, namespace, earlierName(object))))
        throw new Error(`${object.kind} ${earlierName(object)} is there`);
    return true;
  });

  await cluster.apply(namespace, name, { ...spec, replicas: 2 });
  await cluster.becomesReady(namespace, name);
  await cluster.apply(namespace, name, { ...spec, replicas: 1 });
  await cluster.becomesReady(namespace, name);
  await send(stage, "DELETE", deploymentsPath(namespace, name));
  await eventually("it is gone", async () =>
    (await cluster.exists(deploymentsPath(namespace, name))) ? undefined : true,
  );
}

/** All that the operator makes for a deployment of one group. */
function objectsOf(name: string, namespace: string, spec: Spec, platform: PlatformSpec): KubeObject[] {
  const result = planDeployment({ name, namespace, spec: deploymentSpec.parse(spec) }, platform);
  if (!result.accepted) throw new Error(result.refusals.map(({ message }) => message).join("\n"));
  const { plan } = result;
  return [
    controllerRevision({ plan, ...freeze(plan), number: 1, specHash: "" }),
    ...renderDeployment({ plan, replicas: 1 }),
  ];
}

const nameOf = ({ metadata }: KubeObject): string => metadata.name ?? "";
const pathOf = (object: KubeObject, namespace: string, name?: string): string =>
  name === undefined
    ? collectionPath(resourceOf(object), namespace)
    : objectPath(resourceOf(object), { namespace, name });

/** Of the same name, and nothing of ours. */
function inTheWay(object: KubeObject): object {
  const { namespace } = object.metadata;
  const bare = { ...object, metadata: { name: nameOf(object), namespace } };
  if (object.kind !== "StatefulSet") return bare;
  const { spec } = z.looseObject({ spec: z.looseObject({}) }).parse(object);
  return { ...bare, spec: { ...spec, replicas: 0 } };
}

const taken = /(\w+) (\S+) already exists and was not made by this operator/;

/** The order in which the operator makes them. Of one stage it makes all that it can, and says what is in the way of one. */
const stages = [
  ({ kind }: KubeObject) => kind === "ControllerRevision",
  ({ kind }: KubeObject) => kind !== "ControllerRevision" && kind !== "StatefulSet",
  ({ kind }: KubeObject) => kind === "StatefulSet",
];

/** Deletes what is in the way once the status says so. */
async function clearTheWay(stage: Stage, name: string, own: readonly KubeObject[]): Promise<void> {
  const { cluster, namespace } = stage;
  for (const [index, isOfStage] of stages.entries()) {
    const objects = own.filter(isOfStage);
    await eventually("one of them is named", async () => {
      const { Stalled } = await cluster.conditions(namespace, name);
      const [, kind, called] = taken.exec(Stalled?.message ?? "") ?? [];
      return objects.some((each) => each.kind === kind && nameOf(each) === called);
    });
    for (const object of objects) await send(stage, "DELETE", pathOf(object, namespace, nameOf(object)));
    // The operator doesn't watch other people's objects, and would look again in 30 s.
    const annotations = { "example.com/cleared": String(index) };
    await send(stage, "PATCH", deploymentsPath(namespace, name), { metadata: { annotations } });
  }
}

const earlierName = (object: KubeObject): string => `${nameOf(object)}-earlier`;

/** What an earlier version of the operator would have made, and this one doesn't. */
function ofEarlierVersion(object: KubeObject, uid: string): object {
  const { mimoDeployments } = resources;
  const owner = {
    apiVersion: apiVersionOf(mimoDeployments),
    kind: mimoDeployments.kind,
    uid,
    controller: true,
  };
  const deployment = object.metadata.labels?.[labels.deployment] ?? "";
  return {
    ...object,
    metadata: {
      ...object.metadata,
      name: earlierName(object),
      ownerReferences: [{ ...owner, name: deployment }],
    },
  };
}

/** The marks by which the operator sees that an object isn't as it should be. */
const somebody = "somebody";
function drift(object: KubeObject): object {
  switch (object.kind) {
    case "ControllerRevision":
      return { metadata: { ownerReferences: null } };
    case "ComputeDomain":
      return { metadata: { labels: { [labels.ownerUid]: somebody } } };
    default:
      return { metadata: { labels: { [labels.managedBy]: somebody } } };
  }
}
function isAsItWas(object: KubeObject, metadata: Stored["metadata"], uid: string): boolean {
  switch (object.kind) {
    case "ControllerRevision":
      return JSON.stringify(metadata.ownerReferences ?? []).includes(uid);
    case "ComputeDomain":
      return JSON.stringify(metadata.labels).includes(uid);
    default:
      return !JSON.stringify(metadata.labels).includes(somebody);
  }
}
