import type { Logger } from "pino";
import type { ApiResource, KubeObject } from "../../charts/kubernetes.ts";
import { labels } from "../../charts/names.ts";
import { resources } from "../../charts/resources.ts";
import type { Client } from "../runtime/client-api.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { CacheProgress } from "../runtime/consistency.ts";
import { type Reflector, startReflector } from "../runtime/reflector.ts";
import {
  type Child,
  childView,
  type Deployment,
  deploymentName,
  deploymentView,
  type Platform,
  type Pod,
  platformView,
  podView,
} from "./objects.ts";

/** The index by which objects of a deployment are found: its key. */
export const byDeployment = "deployment";

export interface Caches {
  readonly deployments: Reflector<Deployment>;
  readonly platforms: Reflector<Platform>;
  readonly pods: Reflector<Pod>;
  readonly statefulSets: Reflector<Child>;
  readonly revisions: Reflector<Child>;
  /** Services, disruption budgets, network policies. */
  readonly shared: readonly Reflector<Child>[];
  readonly all: readonly Reflector<KubeObject>[];
  /** For own-write tracking: the cache of a resource. */
  cacheOf(resource: ApiResource): CacheProgress | undefined;
}

export interface CacheOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** A deployment, or something of it, changed. */
  readonly onDeployment: (key: string) => void;
  readonly onPlatform: () => void;
}

/** `namespace/name`, the key that the controller works on. */
export const keyOf = (namespace: string | undefined, name: string): string => `${namespace ?? ""}/${name}`;

export function parseKey(key: string): { namespace: string; name: string } {
  const [namespace = "", name = ""] = key.split("/");
  return { namespace, name };
}

/** Keys of the deployment that an object belongs to: none or one. */
const owningKeys = (object: KubeObject): string[] => {
  const name = deploymentName(object);
  return name === undefined ? [] : [keyOf(object.metadata.namespace, name)];
};

/** Watches the deployments and, of everything else, only what carries their labels. */
export function startCaches(options: CacheOptions): Caches {
  const { onDeployment, onPlatform, ...common } = options;
  const children = <T extends KubeObject>(
    resource: ApiResource,
    label: string,
    transform: (object: KubeObject) => T,
  ) =>
    startReflector<T>({
      ...common,
      resource,
      labelSelector: label,
      transform,
      indexes: { [byDeployment]: owningKeys },
      onChange: (old, current) => {
        for (const object of [old, current])
          if (object !== undefined) owningKeys(object).forEach(onDeployment);
      },
    });
  const child = (object: KubeObject): Child => childView.parse(object);

  const deployments = startReflector<Deployment>({
    ...common,
    resource: resources.mimoDeployments,
    transform: (object) => deploymentView.parse(object),
    onChange: (old, current) => {
      const metadata = (current ?? old)?.metadata;
      if (metadata !== undefined) onDeployment(keyOf(metadata.namespace, metadata.name));
    },
  });
  const platforms = startReflector<Platform>({
    ...common,
    resource: resources.mimoPlatforms,
    transform: (object) => platformView.parse(object),
    onChange: onPlatform,
  });
  const pods = children(resources.pods, labels.deployment, (object) => podView.parse(object));
  const statefulSets = children(resources.statefulSets, labels.deployment, child);
  const revisions = children(resources.controllerRevisions, labels.revisionOf, child);
  const shared = [resources.services, resources.podDisruptionBudgets, resources.networkPolicies].map(
    (resource) => children(resource, labels.deployment, child),
  );
  const all = [deployments, platforms, pods, statefulSets, revisions, ...shared];
  return {
    deployments,
    platforms,
    pods,
    statefulSets,
    revisions,
    shared,
    all,
    cacheOf: (resource) => all.find((cache) => cache.resource.plural === resource.plural),
  };
}
