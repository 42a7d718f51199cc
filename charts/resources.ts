import { apiGroup, apiVersion } from "../crds/names.ts";
import { type ApiResource, apiVersionOf, type KubeObject } from "./kubernetes.ts";

const namespaced = (group: string, version: string, plural: string, kind: string): ApiResource => ({
  group,
  version,
  plural,
  kind,
  namespaced: true,
});
const clusterScoped = (group: string, version: string, plural: string, kind: string): ApiResource => ({
  group,
  version,
  plural,
  kind,
  namespaced: false,
});

/** Every API resource that the operator reads or writes. */
export const resources = {
  mimoDeployments: namespaced(apiGroup, apiVersion, "mimodeployments", "MiMoDeployment"),
  mimoPlatforms: clusterScoped(apiGroup, apiVersion, "mimoplatforms", "MiMoPlatform"),
  statefulSets: namespaced("apps", "v1", "statefulsets", "StatefulSet"),
  controllerRevisions: namespaced("apps", "v1", "controllerrevisions", "ControllerRevision"),
  pods: namespaced("", "v1", "pods", "Pod"),
  services: namespaced("", "v1", "services", "Service"),
  podDisruptionBudgets: namespaced("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
  networkPolicies: namespaced("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
  kueueWorkloads: namespaced("kueue.x-k8s.io", "v1beta1", "workloads", "Workload"),
  volcanoPodGroups: namespaced("scheduling.volcano.sh", "v1beta1", "podgroups", "PodGroup"),
  coschedulingPodGroups: namespaced("scheduling.x-k8s.io", "v1alpha1", "podgroups", "PodGroup"),
  nativePodGroups: namespaced("scheduling.k8s.io", "v1alpha2", "podgroups", "PodGroup"),
  computeDomains: namespaced("resource.nvidia.com", "v1beta1", "computedomains", "ComputeDomain"),
  nodes: clusterScoped("", "v1", "nodes", "Node"),
  resourceQuotas: namespaced("", "v1", "resourcequotas", "ResourceQuota"),
  leases: namespaced("coordination.k8s.io", "v1", "leases", "Lease"),
  events: namespaced("events.k8s.io", "v1", "events", "Event"),
} as const satisfies Record<string, ApiResource>;

/** The resource that an object is written to. Throws for a kind that nothing here renders. */
export function resourceOf({ apiVersion, kind }: Pick<KubeObject, "apiVersion" | "kind">): ApiResource {
  const found = Object.values(resources).find(
    (resource) => resource.kind === kind && apiVersionOf(resource) === apiVersion,
  );
  if (found === undefined) throw new Error(`no API resource is known for ${apiVersion} ${kind}`);
  return found;
}
