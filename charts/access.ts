import type { ApiResource } from "./kubernetes.ts";
import { resources } from "./resources.ts";

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";

/** One permission of the operator. */
export interface Access {
  readonly resource: ApiResource;
  readonly subresource?: "status" | "finalizers" | "log";
  readonly verbs: readonly Verb[];
  /** In every namespace, or in the operator's own alone. */
  readonly reach: "Cluster" | "OperatorNamespace";
  /** The only objects that it is for; all when absent. */
  readonly names?: readonly string[];
  /** In a role of its own, which may be left out. */
  readonly optional?: true;
}

export const leaseName = "mimo-operator";

/** What is rendered for a deployment: made, kept as rendered, removed; read by name when somebody else has the name. */
const child = (resource: ApiResource, ...more: Verb[]): Access => ({
  resource,
  verbs: ["get", "list", "watch", "create", "update", ...more, "delete"],
  reach: "Cluster",
});

/** All that the operator may do, and it does all of it: RBAC is made from this table. No verb on Secrets, no wildcard. */
export const access: readonly Access[] = [
  // Patched with the finalizer by which ComputeDomains outlive the pods.
  { resource: resources.mimoDeployments, verbs: ["list", "watch", "patch"], reach: "Cluster" },
  { resource: resources.mimoDeployments, subresource: "status", verbs: ["patch"], reach: "Cluster" },
  // Asked for by the admission plugin OwnerReferencesPermissionEnforcement, since children block their owner's deletion.
  { resource: resources.mimoDeployments, subresource: "finalizers", verbs: ["update"], reach: "Cluster" },
  // Made when there is none: the admission policies hold deployments to it.
  { resource: resources.mimoPlatforms, verbs: ["list", "watch", "create"], reach: "Cluster" },
  // Patched with the formation, which isn't rendered.
  child(resources.statefulSets, "patch"),
  // Patched with the reason why a revision failed.
  child(resources.controllerRevisions, "patch"),
  child(resources.services),
  child(resources.podDisruptionBudgets),
  child(resources.networkPolicies),
  // Gangs of groups and why groups wait, where a queue is installed.
  child(resources.volcanoPodGroups),
  child(resources.coschedulingPodGroups),
  child(resources.nativePodGroups),
  { resource: resources.kueueWorkloads, verbs: ["list", "watch"], reach: "Cluster" },
  // Of NVIDIA's DRA driver, where it is installed.
  child(resources.computeDomains),
  // Opening gates and rebuilding groups; pods are created by StatefulSets.
  { resource: resources.pods, verbs: ["list", "watch", "patch", "delete"], reach: "Cluster" },
  // How far a starting server has loaded; without it no percentage is shown.
  { resource: resources.pods, subresource: "log", verbs: ["get"], reach: "Cluster", optional: true },
  // Whether a node answers decides about the pods on it, and what is free about where a group may open.
  { resource: resources.nodes, verbs: ["list", "watch"], reach: "Cluster" },
  // No group is made that the namespace's quota of GPUs has no room for.
  { resource: resources.resourceQuotas, verbs: ["list", "watch"], reach: "Cluster" },
  { resource: resources.events, verbs: ["create", "patch"], reach: "Cluster" },
  // A name can't limit who may create.
  { resource: resources.leases, verbs: ["create"], reach: "OperatorNamespace" },
  { resource: resources.leases, verbs: ["get", "update"], reach: "OperatorNamespace", names: [leaseName] },
];
