import type { V1PodSpec } from "@kubernetes/client-node";
import type { ApiObject } from "cdk8s";
import type { Construct } from "constructs";
import type { ServingPlan } from "../synth/serving-plan.ts";
import { type ApiResource, apiVersionOf } from "./kubernetes.ts";
import { commonLabels, groupName, groupSelector, labels } from "./names.ts";
import { resources } from "./resources.ts";
import { typedObject } from "./typed-object.ts";

export const kueue = {
  queueName: "kueue.x-k8s.io/queue-name",
  /** On a pod, by Kueue's webhook: it decides when the pod may run. Its finalizer has the same name. */
  managed: "kueue.x-k8s.io/managed",
  finalizer: "kueue.x-k8s.io/managed",
  groupName: "kueue.x-k8s.io/pod-group-name",
  groupTotalCount: "kueue.x-k8s.io/pod-group-total-count",
  groupServing: "kueue.x-k8s.io/pod-group-serving",
  requiredTopology: "kueue.x-k8s.io/podset-required-topology",
  podIndexLabel: "kueue.x-k8s.io/pod-group-pod-index-label",
} as const;

/** Labels of the pods of every group. */
export function queueLabels({ queue }: ServingPlan): Record<string, string> {
  if (queue?.name === undefined) return {};
  if (queue.system === "Kueue") return { [kueue.queueName]: queue.name };
  if (queue.system === "KAI") return { "kai.scheduler/queue": queue.name };
  return {};
}

export interface GangMetadata {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What the pods of one group carry so that their queue takes them all or none. */
export function gangMetadata({ name, nodes, queue }: ServingPlan, groupId: number): GangMetadata {
  const group = groupName(name, groupId);
  switch (queue?.system) {
    case "Kueue":
      return nodes === 1 ? {} : kueueGroup(group, nodes, queue.topologyKey);
    case "Volcano":
      return { annotations: { "scheduling.k8s.io/group-name": group } };
    case "SchedulerPlugins":
      return { labels: { "scheduling.x-k8s.io/pod-group": group } };
    default:
      return {};
  }
}

function kueueGroup(group: string, nodes: number, topologyKey: string | undefined): GangMetadata {
  return {
    labels: { [kueue.groupName]: group },
    annotations: {
      [kueue.groupTotalCount]: String(nodes),
      // Ranks that exit with 0 when they are stopped would otherwise end the group's Workload for ever.
      [kueue.groupServing]: "true",
      ...(topologyKey !== undefined && {
        [kueue.requiredTopology]: topologyKey,
        [kueue.podIndexLabel]: labels.podIndex,
      }),
    },
  };
}

function gangResource({ queue, nodes }: ServingPlan): ApiResource | undefined {
  switch (queue?.system) {
    case "Volcano":
      return resources.volcanoPodGroups;
    case "SchedulerPlugins":
      return resources.coschedulingPodGroups;
    case "Native":
      // A pod without a group is scheduled as ever.
      return nodes === 1 ? undefined : resources.nativePodGroups;
    default:
      return undefined;
  }
}

/** The API without which a plan's groups would wait for ever, or run past their queue; undefined when any cluster will do. */
export const queueResource = (plan: ServingPlan): ApiResource | undefined =>
  plan.queue?.system === "Kueue" ? resources.kueueWorkloads : gangResource(plan);

/** Kubernetes' own gangs can't change their size, so each size has a name of its own. */
const gangName = ({ name, nodes, queue }: ServingPlan, groupId: number): string =>
  queue?.system === "Native" ? `${groupName(name, groupId)}-${nodes}` : groupName(name, groupId);

/** What the spec of a group's pods says of its gang. */
export const gangSpec = (plan: ServingPlan, groupId: number): Pick<V1PodSpec, "schedulingGroup"> =>
  plan.queue?.system === "Native" && plan.nodes > 1
    ? { schedulingGroup: { podGroupName: gangName(plan, groupId) } }
    : {};

/** The gang of one group, as its scheduler knows it; undefined where the queue has no object for it, or there is none. */
export function podGroup(scope: Construct, plan: ServingPlan, groupId: number): ApiObject | undefined {
  const { name, namespace } = plan;
  const resource = gangResource(plan);
  if (resource === undefined) return undefined;
  return typedObject<{ spec: object }>(scope, {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: {
      name: gangName(plan, groupId),
      namespace,
      labels: { ...commonLabels(name), ...groupSelector(name, groupId) },
    },
    spec: podGroupSpec(plan),
  });
}

function podGroupSpec({ nodes, gpusPerNode, queue, resources: { cpu, memoryGib } }: ServingPlan): object {
  if (queue?.system === "Native") return { schedulingPolicy: { gang: { minCount: nodes } } };
  return {
    minMember: nodes,
    minResources: {
      cpu: String(nodes * cpu),
      memory: `${nodes * memoryGib}Gi`,
      "nvidia.com/gpu": String(nodes * gpusPerNode),
    },
    ...(queue?.system === "Volcano" && queue.name !== undefined && { queue: queue.name }),
  };
}
