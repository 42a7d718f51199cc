import { z } from "zod";
import { apiVersionOf, type OwnerReference } from "../../charts/kubernetes.ts";
import { annotations, groupName, labels, revisionName } from "../../charts/names.ts";
import { type DeploymentSpec, deploymentSpec } from "../../crds/deployment.ts";
import { platformName } from "../../crds/names.ts";
import { type PlatformSpec, platformSpec } from "../../crds/platform.ts";
import { type DeploymentStatus, deploymentStatus } from "../../crds/status.ts";
import { byDeployment, byNamespace, byUpdate, type Caches } from "./caches.ts";
import type { ProgressFollower } from "./follow-progress.ts";
import { formationRecord } from "./formation.ts";
import { type Revision, readRevision } from "./frozen.ts";
import type { Group } from "./groups.ts";
import { keyOf } from "./keys.ts";
import { needOf } from "./need.ts";
import {
  type Child,
  type ComputeDomain,
  controllerOf,
  type Deployment,
  type Node,
  type Platform,
  type Pod,
  type Workload,
} from "./objects.ts";
import type { Observed, Reading } from "./observed.ts";
import { groupProgress } from "./progress.ts";
import { queueHold } from "./queueing.ts";
import { gpuQuotaOf } from "./quota.ts";
import { cleanRecovery, recoveryRecord } from "./recovery.ts";
import type { Pledge, Reservations } from "./reservations.ts";
import { restartRecord } from "./restart.ts";
import { type Standing, updateReason, updateReasons } from "./wave.ts";

export function readSpec(deployment: Deployment): Reading<DeploymentSpec> {
  return read(deploymentSpec.safeParse(deployment.spec), "InvalidSpec", "spec");
}

const noPlatform: Reading<undefined> = { ok: true, value: undefined };
const platformReadings = new WeakMap<Platform, Reading<PlatformSpec>>();

/**
 * The platform's settings; undefined when no MiMoPlatform exists, and then the catalogue's defaults count. The same answer
 * as long as nothing changed.
 */
function readPlatform(caches: Caches): Reading<PlatformSpec | undefined> {
  const platform = caches.platforms.get({ name: platformName, namespace: undefined });
  if (platform === undefined) return noPlatform;
  const known = platformReadings.get(platform);
  if (known !== undefined) return known;
  const parsed = platformSpec.safeParse(platform.spec ?? {});
  const reading = read(parsed, "InvalidPlatform", `MiMoPlatform/${platformName}.spec`);
  platformReadings.set(platform, reading);
  return reading;
}

/** Where the deployments stand with updates of their plans. */
export function updateStanding(caches: Caches): Standing {
  const platform = readPlatform(caches);
  const keysOf = (reason: string): string[] =>
    caches.deployments
      .byIndex(byUpdate, reason)
      .map(({ metadata }) => keyOf(metadata.namespace, metadata.name));
  return {
    updates: platform.ok ? platform.value?.updates : undefined,
    waiting: keysOf(updateReasons.waiting),
    adopting: keysOf(updateReasons.adopting),
    failed: keysOf(updateReasons.failed),
  };
}

/** The status last written; undefined when there is none that this version understands. */
export function readStatus(deployment: Pick<Deployment, "status">): DeploymentStatus | undefined {
  const result = deploymentStatus.safeParse(deployment.status);
  return result.success ? result.data : undefined;
}

function read<T>(
  result:
    | { success: true; data: T }
    | { success: false; error: { issues: readonly { path: PropertyKey[]; message: string }[] } },
  code: string,
  root: string,
): Reading<T> {
  if (result.success) return { ok: true, value: result.data };
  const refusals = result.error.issues.map(({ path, message }) => ({
    code,
    field: [root, ...path.map(String)].join("."),
    message,
  }));
  return { ok: false, refusals };
}

/** Gathers what the caches hold of one deployment, and what the logs of its ranks said. */
export function observe(
  key: string,
  deployment: Deployment,
  caches: Caches,
  reservations: Reservations,
  progress: ProgressFollower,
  takesTurn: boolean,
  now: number,
): Observed {
  const { name, namespace = "", uid, finalizers = [] } = deployment.metadata;
  const owner: OwnerReference = {
    apiVersion: deployment.apiVersion,
    kind: deployment.kind,
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
  const adoptable = (object: Child): boolean => [undefined, uid].includes(controllerOf(object)?.uid);
  const pods = caches.pods.byIndex(byDeployment, key);
  const workloads = caches.workloads.byIndex(byNamespace, namespace);
  const status = readStatus(deployment);
  const revisions = caches.revisions
    .byIndex(byDeployment, key)
    .filter(adoptable)
    .flatMap((object) => revisionOf(object, name));
  const groups = caches.statefulSets
    .byIndex(byDeployment, key)
    .filter(adoptable)
    .flatMap((statefulSet) => groupOf(statefulSet, revisions, pods, workloads, progress, status));
  const owned = new Set(groups.flatMap((group) => group.pods));
  return {
    name,
    namespace,
    owner,
    finalizers,
    spec: readSpec(deployment),
    annotations: deployment.metadata.annotations ?? {},
    status,
    platform: readPlatform(caches),
    hasTurn: updateReason(deployment) === updateReasons.adopting,
    takesTurn,
    revisions,
    groups,
    strays: pods.filter((pod) => !owned.has(pod)),
    gangs: caches.gangs.flatMap((cache) => cache.byIndex(byDeployment, key)),
    workloads,
    absent: caches.all
      .filter((cache) => cache.state() === "absent")
      .map(({ resource }) => `${resource.plural} of ${apiVersionOf(resource)}`),
    children: caches.shared.flatMap((cache) => cache.byIndex(byDeployment, key)),
    computeDomains: computeDomainsOf(key, caches) ?? "absent",
    occupied: new Set(pods.map(({ metadata }) => groupName(name, Number(metadata.labels?.[labels.group])))),
    capacity: {
      nodes: caches.nodes.list(),
      held: caches.capacity.held,
      reservations: reservations.open(),
    },
    gpuQuotas: caches.quotas.list(namespace).flatMap((quota) => gpuQuotaOf(quota) ?? []),
    nodes: nodesOf(pods, caches),
    tombstones: caches.tombstones.of(key),
    now,
  };
}

/** What formations on record promise: a new process starts with that. */
export function pledgesOnRecord(caches: Caches): Pledge[] {
  return caches.statefulSets.list().flatMap((statefulSet): Pledge[] => {
    const { uid, namespace = "", labels: own = {}, annotations: marks } = statefulSet.metadata;
    const formation = annotated(formationRecord, marks?.[annotations.formation]);
    const pods = Object.keys(formation?.pods ?? {}).flatMap(
      (name) => caches.pods.get({ namespace, name }) ?? [],
    );
    const onTheirWay = pods.some(({ spec }) => spec.nodeName === undefined);
    if (formation === undefined || !onTheirWay) return [];
    const name = revisionName(own[labels.deployment] ?? "", own[labels.revision] ?? "");
    const revision = caches.revisions.get({ namespace, name });
    const plan = revision && readRevision(revision, own[labels.revision] ?? "")?.plan;
    return plan === undefined ? [] : [{ group: uid, namespace, need: needOf(plan, pods), formation }];
  });
}

/** Those of a deployment; undefined where the API server doesn't serve them. */
export const computeDomainsOf = (key: string, caches: Caches): ComputeDomain[] | undefined =>
  caches.servesComputeDomains() ? caches.computeDomains.byIndex(byDeployment, key) : undefined;

/** By its name, which nobody can change as they can its label. */
const revisionOf = (object: Child, deployment: string): Revision[] => {
  const revision = readRevision(object, object.metadata.name.slice(revisionName(deployment, "").length));
  return revision === undefined ? [] : [revision];
};

function groupOf(
  statefulSet: Child,
  revisions: readonly Revision[],
  pods: readonly Pod[],
  workloads: readonly Workload[],
  progress: ProgressFollower,
  status: DeploymentStatus | undefined,
): Group[] {
  const id = Number(statefulSet.metadata.labels?.[labels.group] ?? Number.NaN);
  const ranks = ranksOf(statefulSet);
  if (!Number.isInteger(id) || ranks === undefined) return [];
  const own = pods.filter((pod) => controllerOf(pod)?.uid === statefulSet.metadata.uid);
  const revision = hashOf(statefulSet, revisions);
  const marks = statefulSet.metadata.annotations ?? {};
  const formation = annotated(formationRecord, marks[annotations.formation]);
  const recovery = annotated(recoveryRecord, marks[annotations.recovery]);
  const told = status?.groups?.find((group) => group.id === id);
  return [
    {
      id,
      revision,
      ranks,
      statefulSet,
      pods: Array.from({ length: ranks }, (_, rank) => own.find((pod) => rankOf(pod) === rank)),
      formation,
      recovery: recovery?.revision === revision ? recovery : cleanRecovery(revision),
      restart: annotated(restartRecord, marks[annotations.restarted]),
      baseline: told?.formation === formation?.id ? told?.containerRestarts : undefined,
      progress: groupProgress(own.map(progress.of)),
      queued: queueHold(own, workloads),
      stopping: marks[annotations.stopping],
    },
  ];
}

const templated = z.object({
  template: z.object({ metadata: z.object({ labels: z.record(z.string(), z.string()) }) }),
});

/** The revision that a StatefulSet and its pods are labelled with; where somebody changed one of the two, the one that is known. */
function hashOf({ metadata, spec }: Child, revisions: readonly Revision[]): string {
  const own = metadata.labels?.[labels.revision] ?? "";
  if (revisions.some(({ hash }) => hash === own)) return own;
  const ofPods = templated.safeParse(spec).data?.template.metadata.labels[labels.revision];
  return revisions.some(({ hash }) => hash === ofPods) ? (ofPods ?? own) : own;
}

/** What was written into an annotation; undefined when there is none, or somebody's hand made it something else. */
function annotated<T>(schema: z.ZodType<T>, text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The nodes that these pods are on, as far as they exist. */
export function nodesOf(pods: readonly Pod[], caches: Caches): ReadonlyMap<string, Node> {
  const names = new Set(pods.flatMap(({ spec }) => spec.nodeName ?? []));
  return new Map(
    [...names].flatMap((name) => {
      const node = caches.nodes.get({ name, namespace: undefined });
      return node === undefined ? [] : [[name, node] as const];
    }),
  );
}

function ranksOf({ spec }: Child): number | undefined {
  if (typeof spec !== "object" || spec === null || !("replicas" in spec)) return undefined;
  return typeof spec.replicas === "number" ? spec.replicas : undefined;
}

/** The ordinal that ends a StatefulSet pod's name. */
const rankOf = (pod: Pod): number => Number(/-(\d+)$/.exec(pod.metadata.name)?.[1] ?? Number.NaN);
