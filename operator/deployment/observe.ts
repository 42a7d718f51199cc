import type { OwnerReference } from "../../charts/kubernetes.ts";
import { labels } from "../../charts/names.ts";
import { type DeploymentSpec, deploymentSpec } from "../../crds/deployment.ts";
import { platformName } from "../../crds/names.ts";
import { type PlatformSpec, platformSpec } from "../../crds/platform.ts";
import { type DeploymentStatus, deploymentStatus } from "../../crds/status.ts";
import { byDeployment, type Caches } from "./caches.ts";
import { type Revision, readRevision } from "./frozen.ts";
import type { Group } from "./groups.ts";
import { type Child, controllerOf, type Deployment, type Pod } from "./objects.ts";
import type { Observed, Reading } from "./observed.ts";

function readSpec(deployment: Deployment): Reading<DeploymentSpec> {
  return read(deploymentSpec.safeParse(deployment.spec), "InvalidSpec", "spec");
}

/** The platform's settings; undefined when no MiMoPlatform exists, and then the catalogue's defaults count. */
function readPlatform(caches: Caches): Reading<PlatformSpec | undefined> {
  const platform = caches.platforms.get({ name: platformName, namespace: undefined });
  if (platform === undefined) return { ok: true, value: undefined };
  return read(
    platformSpec.safeParse(platform.spec ?? {}),
    "InvalidPlatform",
    `MiMoPlatform/${platformName}.spec`,
  );
}

/** The status last written; undefined when there is none that this version understands. */
export function readStatus(deployment: Deployment): DeploymentStatus | undefined {
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

/** Gathers what the caches hold of one deployment. */
export function observe(key: string, deployment: Deployment, caches: Caches): Observed {
  const { name, namespace = "", uid } = deployment.metadata;
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
  return {
    name,
    namespace,
    owner,
    spec: readSpec(deployment),
    nextGroupId: readStatus(deployment)?.nextGroupId,
    platform: readPlatform(caches),
    revisions: caches.revisions.byIndex(byDeployment, key).filter(adoptable).flatMap(revisionOf),
    groups: caches.statefulSets
      .byIndex(byDeployment, key)
      .filter(adoptable)
      .flatMap((statefulSet) => groupOf(statefulSet, pods)),
    children: caches.shared.flatMap((cache) => cache.byIndex(byDeployment, key)),
  };
}

const revisionOf = (object: Child): Revision[] => {
  const revision = readRevision(object, object.metadata.labels?.[labels.revision] ?? "");
  return revision === undefined ? [] : [revision];
};

function groupOf(statefulSet: Child, pods: readonly Pod[]): Group[] {
  const id = Number(statefulSet.metadata.labels?.[labels.group] ?? Number.NaN);
  const ranks = ranksOf(statefulSet);
  if (!Number.isInteger(id) || ranks === undefined) return [];
  const own = pods.filter((pod) => controllerOf(pod)?.uid === statefulSet.metadata.uid);
  const byRank = Array.from({ length: ranks }, (_, rank) => own.find((pod) => rankOf(pod) === rank));
  return [
    { id, revision: statefulSet.metadata.labels?.[labels.revision] ?? "", ranks, statefulSet, pods: byRank },
  ];
}

function ranksOf({ spec }: Child): number | undefined {
  if (typeof spec !== "object" || spec === null || !("replicas" in spec)) return undefined;
  return typeof spec.replicas === "number" ? spec.replicas : undefined;
}

/** The ordinal that ends a StatefulSet pod's name. */
const rankOf = (pod: Pod): number => Number(/-(\d+)$/.exec(pod.metadata.name)?.[1] ?? Number.NaN);
