import type { Logger } from "pino";
import type { ApiResource, KubeObject } from "../../charts/kubernetes.ts";
import { labels } from "../../charts/names.ts";
import { resources } from "../../charts/resources.ts";
import { platformName } from "../../crds/names.ts";
import type { Client } from "../runtime/client-api.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { CacheProgress } from "../runtime/consistency.ts";
import { startNamespacedReflectors } from "../runtime/namespaced-reflectors.ts";
import { type Reflector, type ReflectorOptions, startReflector } from "../runtime/reflector.ts";
import type { Store } from "../runtime/store.ts";
import { type CapacityTracker, createCapacityTracker } from "./capacity.ts";
import { deploymentKeys, keyOf } from "./keys.ts";
import {
  type Child,
  type ComputeDomain,
  childView,
  computeDomainView,
  type Deployment,
  deploymentName,
  deploymentView,
  holdsGpus,
  type Node,
  nodeView,
  otherPod,
  type Platform,
  type Pod,
  platformView,
  podView,
  type Quota,
  quotaView,
  type Workload,
  workloadView,
} from "./objects.ts";
import { gpuQuotaOf } from "./quota.ts";
import { isKnown } from "./settled.ts";
import { createTombstones, type Tombstones } from "./tombstones.ts";
import { holdsUpWave, updateReason } from "./wave.ts";

/** The index by which objects of a deployment are found: its key. */
export const byDeployment = "deployment";
/** The index by which deployments are found that stand alike with an update: the reason of their UpdateAvailable. */
export const byUpdate = "update";
/** The index by which pods of a node are found: its name. */
const byNode = "node";
/** The index by which Kueue's Workloads are found: their namespace. */
export const byNamespace = "namespace";
/** About 2 kB each. */
const tombstoneLimit = 2000;

const readiness = (node: Node | undefined): string | undefined =>
  node?.status?.conditions?.find(({ type }) => type === "Ready")?.status;

export interface Caches {
  readonly deployments: Store<Deployment>;
  readonly platforms: Reflector<Platform>;
  readonly pods: Store<Pod>;
  readonly nodes: Reflector<Node>;
  readonly capacity: CapacityTracker;
  readonly computeDomains: Store<ComputeDomain>;
  servesComputeDomains(): boolean;
  readonly tombstones: Tombstones;
  readonly quotas: Store<Quota>;
  readonly statefulSets: Store<Child>;
  readonly revisions: Store<Child>;
  readonly workloads: Store<Workload>;
  /** PodGroups of each kind. */
  readonly gangs: readonly Store<Child>[];
  /** Services, disruption budgets, network policies. */
  readonly shared: readonly Store<Child>[];
  readonly all: readonly Reflector<KubeObject>[];
  /** For own-write tracking: the cache of a resource in a namespace. */
  cacheOf(resource: ApiResource, namespace: string | undefined): CacheProgress | undefined;
}

export interface CacheOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Where the operator works; undefined for everywhere. */
  readonly namespaces: readonly string[] | undefined;
  /** A deployment, or something of it, changed. */
  readonly onDeployment: (key: string) => void;
  readonly onPlatform: () => void;
  /** A deployment is done with its update: it is the next one's turn. */
  readonly onWave: () => void;
}

/** Watches the deployments and what carries their labels; of other pods, those that hold GPUs. */
export function startCaches(options: CacheOptions): Caches {
  const { namespaces, onDeployment, onPlatform, onWave, ...common } = options;
  const all: Reflector<KubeObject>[] = [];
  const everywhere = <T extends KubeObject>(reflected: ReflectorOptions<T>): Reflector<T> => {
    const reflector = startReflector(reflected);
    all.push(reflector);
    return reflector;
  };
  const inNamespaces = <T extends KubeObject>(reflected: ReflectorOptions<T>): Store<T> => {
    const { store, reflectors } = startNamespacedReflectors(namespaces, reflected);
    all.push(...reflectors);
    return store;
  };
  const children = (resource: ApiResource, label: string) =>
    inNamespaces<Child>({
      ...common,
      resource,
      labelSelector: label,
      transform: (object) => childView.parse(object),
      indexes: { [byDeployment]: deploymentKeys },
      onChange: (old, current) => {
        if (old !== undefined && current !== undefined && isKnown(old, current)) return;
        for (const object of [old, current])
          if (object !== undefined) deploymentKeys(object).forEach(onDeployment);
      },
    });

  const deployments = inNamespaces<Deployment>({
    ...common,
    resource: resources.mimoDeployments,
    transform: (object) => deploymentView.parse(object),
    indexes: { [byUpdate]: (deployment) => [updateReason(deployment) ?? ""] },
    onChange: (old, current) => {
      const metadata = (current ?? old)?.metadata;
      if (metadata !== undefined) onDeployment(keyOf(metadata.namespace, metadata.name));
      if (holdsUpWave(old) && !holdsUpWave(current)) onWave();
    },
  });
  const platforms = everywhere<Platform>({
    ...common,
    resource: resources.mimoPlatforms,
    // Everybody may read this one, and an operator of some namespaces no other.
    fieldSelector: `metadata.name=${platformName}`,
    transform: (object) => platformView.parse(object),
    onChange: onPlatform,
  });
  const tombstones = createTombstones(tombstoneLimit);
  const capacity = createCapacityTracker(common.clock, onDeployment);
  // Of other pods those that hold GPUs, in all namespaces that may be read: what is free is told by them.
  const pods = inNamespaces<Pod>({
    ...common,
    resource: resources.pods,
    transform: (object) => {
      const pod = podView.parse(object);
      if (deploymentName(pod) !== undefined) return pod;
      return holdsGpus(pod) ? otherPod(pod) : undefined;
    },
    indexes: {
      [byDeployment]: deploymentKeys,
      [byNode]: ({ spec }) => (spec.nodeName === undefined ? [] : [spec.nodeName]),
    },
    onChange: (old, current) => {
      capacity.podChanged(old, current);
      if (old !== undefined && current === undefined && deploymentName(old) !== undefined)
        tombstones.bury(old);
      for (const object of [old, current])
        if (object !== undefined) deploymentKeys(object).forEach(onDeployment);
    },
  });
  const nodes = everywhere<Node>({
    ...common,
    resource: resources.nodes,
    transform: (object) => nodeView.parse(object),
    onChange: (old, current) => {
      capacity.nodeChanged(old, current);
      // Heartbeats come all the time; only whether a node answers matters here.
      if (current !== undefined && readiness(old) === readiness(current)) return;
      const { name } = (current ?? old)?.metadata ?? {};
      if (name === undefined) return;
      for (const pod of pods.byIndex(byNode, name)) deploymentKeys(pod).forEach(onDeployment);
    },
  });
  const left = (quota: Quota | undefined): number => {
    const gpus = quota && gpuQuotaOf(quota);
    return gpus === undefined ? Number.POSITIVE_INFINITY : gpus.hard - gpus.used;
  };
  const quotas = inNamespaces<Quota>({
    ...common,
    resource: resources.resourceQuotas,
    transform: (object) => quotaView.parse(object),
    onChange: (old, current) => {
      // Every pod counts against it; only room for more is news.
      if (left(current) <= left(old)) return;
      const namespace = (current ?? old)?.metadata.namespace;
      for (const { metadata } of deployments.list(namespace))
        onDeployment(keyOf(metadata.namespace, metadata.name));
    },
  });
  const statefulSets = children(resources.statefulSets, labels.deployment);
  const revisions = children(resources.controllerRevisions, labels.revisionOf);
  const computeDomains = startNamespacedReflectors<ComputeDomain>(namespaces, {
    ...common,
    resource: resources.computeDomains,
    labelSelector: labels.deployment,
    transform: (object) => computeDomainView.parse(object),
    indexes: { [byDeployment]: deploymentKeys },
    onChange: (old, current) => {
      for (const object of [old, current])
        if (object !== undefined) deploymentKeys(object).forEach(onDeployment);
    },
    onAvailability: capacity.changed,
  });
  all.push(...computeDomains.reflectors);
  const shared = [resources.services, resources.podDisruptionBudgets, resources.networkPolicies].map(
    (resource) => children(resource, labels.deployment),
  );
  const gangs = [resources.volcanoPodGroups, resources.coschedulingPodGroups, resources.nativePodGroups].map(
    (resource) => children(resource, labels.deployment),
  );
  const workloads = inNamespaces<Workload>({
    ...common,
    resource: resources.kueueWorkloads,
    transform: (object) => workloadView.parse(object),
    indexes: { [byNamespace]: ({ metadata }) => [metadata.namespace ?? ""] },
    onChange: (old, current) => {
      const { namespace, ownerReferences = [] } = (current ?? old)?.metadata ?? {};
      for (const { kind, name } of ownerReferences) {
        const pod = kind === "Pod" ? pods.get({ namespace, name }) : undefined;
        if (pod !== undefined) deploymentKeys(pod).forEach(onDeployment);
      }
    },
  });
  return {
    deployments,
    platforms,
    pods,
    nodes,
    capacity,
    computeDomains: computeDomains.store,
    servesComputeDomains: () => computeDomains.reflectors.every((cache) => cache.state() !== "absent"),
    tombstones,
    quotas,
    statefulSets,
    revisions,
    workloads,
    gangs,
    shared,
    all,
    cacheOf: ({ group, plural }, namespace) =>
      all.find(
        ({ resource, namespace: of }) =>
          resource.plural === plural && resource.group === group && (of ?? namespace) === namespace,
      ),
  };
}
