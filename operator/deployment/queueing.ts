import { apiVersionOf } from "../../charts/kubernetes.ts";
import { labels } from "../../charts/names.ts";
import { kueue, queueResource } from "../../charts/queue.ts";
import { resources } from "../../charts/resources.ts";
import type { QueueSystem } from "../../crds/names.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import { isGated, isTerminating } from "./groups.ts";
import type { Pod, Workload } from "./objects.ts";
import type { Obstacle } from "./obstacles.ts";
import type { Step } from "./steps.ts";

/** Kueue's gates begin with its domain: one until there is quota, one until its topology is settled. */
const kueueGates = "kueue.x-k8s.io/";

const isHeldByKueue = (pod: Pod): boolean =>
  pod.spec.schedulingGates?.some(({ name }) => name.startsWith(kueueGates)) ?? false;

/** Kueue was to decide about the pod, and its webhook never saw it. */
export const isOutsideQueue = ({ metadata }: Pod): boolean =>
  metadata.labels?.[kueue.queueName] !== undefined && metadata.labels[kueue.managed] === undefined;

export const outsideQueueMessage = (pod: Pod): string =>
  `Kueue does not manage pod ${pod.metadata.name}: its pod integration is off, or leaves this namespace out; add "pod" to integrations.frameworks of Kueue's configuration`;

/** Why the queue holds a group, in its own words; undefined when it doesn't. */
export function queueHold(pods: readonly Pod[], workloads: readonly Workload[]): string | undefined {
  const living = pods.filter((pod) => !isTerminating(pod));
  const outside = living.find((pod) => isGated(pod) && isOutsideQueue(pod));
  if (outside !== undefined) return outsideQueueMessage(outside);
  const held = living.find(isHeldByKueue);
  if (held === undefined) return undefined;
  const queue = `queue ${held.metadata.labels?.[kueue.queueName] ?? ""}`;
  const workload = workloads.find(({ metadata }) => isOwner(living, metadata.ownerReferences));
  if (workload === undefined) return `${queue}: Kueue has no Workload for it yet`;
  const condition = (wanted: string) => workload.status?.conditions?.find(({ type }) => type === wanted);
  if (condition("Admitted")?.status === "True") return undefined;
  const reserved = condition("QuotaReserved");
  if (reserved?.status === "True") return `${queue}: quota is reserved, admission checks are not done`;
  const evicted = condition("Evicted");
  const said = reserved?.message ?? (evicted?.status === "True" ? evicted.message : undefined);
  return `${queue}: ${said ?? "Kueue has not looked at it yet"}`;
}

const isOwner = (pods: readonly Pod[], owners: Workload["metadata"]["ownerReferences"] = []): boolean =>
  owners.some(({ uid }) => pods.some(({ metadata }) => metadata.uid === uid));

/**
 * Takes Kueue's finalizer off pods that have ended. Of a pod group, Kueue keeps it until a replacement is there; a
 * StatefulSet makes none before the pod is gone.
 *
 * Of a group that stays, one pod waits until a new one owns Kueue's Workload: without an owner that would be garbage, and the
 * group would queue again for the quota that it has.
 * @param staying ids of the groups that are to have pods again, as their label says
 */
export function releaseSteps(
  pods: readonly Pod[],
  workloads: readonly Workload[],
  staying: ReadonlySet<string>,
): Step[] {
  const gangs = Map.groupBy(
    pods.filter(({ metadata }) => metadata.labels?.[kueue.groupName] !== undefined),
    ({ metadata }) => metadata.labels?.[labels.group] ?? "",
  );
  return [...gangs].flatMap(([id, gang]) => {
    const ended = gang.filter(hasEnded);
    const first = ended[0];
    if (first === undefined) return [];
    const owners = workloads.flatMap(({ metadata }) =>
      isOwner(gang, metadata.ownerReferences) ? (metadata.ownerReferences ?? []) : [],
    );
    // A pod of another revision may be none that this Workload can take.
    const isHeir = (pod: Pod): boolean =>
      !hasEnded(pod) &&
      (isOwner([pod], owners) ||
        pod.metadata.labels?.[labels.revision] !== first.metadata.labels?.[labels.revision]);
    const keepsOne = staying.has(id) && owners.length > 0 && !gang.some(isHeir);
    return (keepsOne ? ended.slice(1) : ended).map(release);
  });
}

/** Its kubelet has confirmed the end, or there was none to ask. */
const hasEnded = ({ metadata }: Pod): boolean =>
  metadata.deletionTimestamp !== undefined &&
  metadata.deletionGracePeriodSeconds === 0 &&
  (metadata.finalizers?.includes(kueue.finalizer) ?? false);

function release({ metadata }: Pod): Step {
  const path = `/metadata/finalizers/${metadata.finalizers?.indexOf(kueue.finalizer)}`;
  return {
    do: "patch",
    resource: resources.pods,
    name: metadata.name,
    patch: [
      { op: "test", path: "/metadata/uid", value: metadata.uid },
      { op: "test", path, value: kueue.finalizer },
      { op: "remove", path },
    ],
    reason: "it has ended, and Kueue waits for its replacement",
  };
}

const installed: Readonly<Record<QueueSystem, string>> = {
  Kueue: "Kueue",
  Volcano: "Volcano",
  KAI: "KAI Scheduler",
  SchedulerPlugins: "scheduler-plugins with its CRDs",
  Native: "Kubernetes 1.36 with the feature gates GenericWorkload and GangScheduling and that API",
};

/** The plan needs an API that this cluster doesn't serve: groups would wait for ever, or run past their queue. */
export function missingQueue(plan: ServingPlan, absent: readonly string[]): Obstacle | undefined {
  const resource = queueResource(plan);
  if (plan.queue === undefined || resource === undefined) return undefined;
  const served = `${resource.plural} of ${apiVersionOf(resource)}`;
  if (!absent.includes(served)) return undefined;
  return {
    reason: "QueueMissing",
    message: `MiMoPlatform names ${plan.queue.system} as its queue, and this cluster serves no ${served}: install ${installed[plan.queue.system]}, or take queue out of MiMoPlatform`,
  };
}
