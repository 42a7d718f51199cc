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

function gangResource({ queue }: ServingPlan): ApiResource | undefined {
  if (queue?.system === "Volcano") return resources.volcanoPodGroups;
  if (queue?.system === "SchedulerPlugins") return resources.coschedulingPodGroups;
  return undefined;
}

/** The API without which a plan's groups would wait for ever, or run past their queue; undefined when any cluster will do. */
export const queueResource = (plan: ServingPlan): ApiResource | undefined =>
  plan.queue?.system === "Kueue" ? resources.kueueWorkloads : gangResource(plan);

/** The gang of one group, as Volcano and scheduler-plugins know it; undefined with any other queue or none. */
export function podGroup(scope: Construct, plan: ServingPlan, groupId: number): ApiObject | undefined {
  const { name, namespace, nodes, gpusPerNode, queue } = plan;
  const resource = gangResource(plan);
  if (resource === undefined) return undefined;
  return typedObject<{ spec: object }>(scope, {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: {
      name: groupName(name, groupId),
      namespace,
      labels: { ...commonLabels(name), ...groupSelector(name, groupId) },
    },
    spec: {
      minMember: nodes,
      minResources: {
        cpu: String(nodes * plan.resources.cpu),
        memory: `${nodes * plan.resources.memoryGib}Gi`,
        "nvidia.com/gpu": String(nodes * gpusPerNode),
      },
      ...(queue?.system === "Volcano" && queue.name !== undefined && { queue: queue.name }),
    },
  });
}
