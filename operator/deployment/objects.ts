import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { KubeObject, OwnerReference } from "../../charts/kubernetes.ts";
import { labels } from "../../charts/names.ts";
import { withoutCredentials } from "./redact.ts";

/**
 * What the controller reads of the objects it watches. Parsing is also trimming: fields not named here never enter a cache.
 * Tolerant on purpose: an object of a newer API version must not stop the watch.
 */

const ownerReference = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  name: z.string(),
  uid: z.string(),
  controller: z.boolean().exactOptional(),
});

const metadata = z.object({
  name: z.string(),
  namespace: z.string().exactOptional(),
  uid: z.string(),
  resourceVersion: z.string(),
  generation: z.int().exactOptional(),
  creationTimestamp: z.string().exactOptional(),
  deletionTimestamp: z.string().exactOptional(),
  labels: z.record(z.string(), z.string()).exactOptional(),
  annotations: z.record(z.string(), z.string()).exactOptional(),
  ownerReferences: z.array(ownerReference).exactOptional(),
  finalizers: z.array(z.string()).exactOptional(),
});

const waiting = z.object({ reason: z.string().exactOptional(), message: z.string().exactOptional() });
const running = z.object({ startedAt: z.string().exactOptional() });
const terminated = z.object({
  exitCode: z.int().exactOptional(),
  reason: z.string().exactOptional(),
  // The end of the container's log: nothing behind this sees what must not be told.
  message: z.string().transform(withoutCredentials).exactOptional(),
  startedAt: z.string().nullish(),
  finishedAt: z.string().nullish(),
});
const containerStatus = z.object({
  name: z.string(),
  restartCount: z.int().exactOptional(),
  started: z.boolean().exactOptional(),
  state: z
    .object({
      waiting: waiting.exactOptional(),
      running: running.exactOptional(),
      terminated: terminated.exactOptional(),
    })
    .exactOptional(),
  lastState: z.object({ terminated: terminated.exactOptional() }).exactOptional(),
});
export type ContainerStatus = z.output<typeof containerStatus>;

const observedCondition = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().exactOptional(),
  message: z.string().exactOptional(),
  lastTransitionTime: z.string().nullish(),
});

/** Extended resource of NVIDIA's device plugin. */
const gpuResource = "nvidia.com/gpu";

const containers = z
  .array(
    z.object({
      resources: z.object({ limits: z.record(z.string(), z.coerce.string()) }).catch({ limits: {} }),
    }),
  )
  .catch([]);
const gpusOf = (all: z.output<typeof containers>): number[] =>
  all.map(({ resources }) => Number(resources.limits[gpuResource] ?? 0));

const toleration = z.object({
  key: z.string().exactOptional(),
  operator: z.enum(["Exists", "Equal"]).catch("Equal"),
  value: z.string().exactOptional(),
  effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]).exactOptional(),
});

export const podView = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: metadata.extend({
    deletionGracePeriodSeconds: z.int().exactOptional(),
    finalizers: z.array(z.string()).exactOptional(),
  }),
  spec: z
    .object({
      nodeName: z.string().exactOptional(),
      schedulingGates: z.array(z.object({ name: z.string() })).exactOptional(),
      affinity: z.looseObject({}).exactOptional(),
      nodeSelector: z.record(z.string(), z.string()).exactOptional(),
      tolerations: z.array(toleration).catch([]).exactOptional(),
      containers,
      initContainers: containers,
    })
    .transform(({ containers, initContainers, ...kept }) => ({
      ...kept,
      /** GPUs that it takes of its node. As for every extended resource, requests are the limits. */
      gpus: Math.max(
        gpusOf(containers).reduce((sum, each) => sum + each, 0),
        ...gpusOf(initContainers),
      ),
    })),
  status: z
    .object({
      phase: z.string().exactOptional(),
      reason: z.string().exactOptional(),
      message: z.string().exactOptional(),
      conditions: z.array(observedCondition).exactOptional(),
      containerStatuses: z.array(containerStatus).exactOptional(),
    })
    .exactOptional(),
});
export type Pod = z.output<typeof podView>;

/** A pod of somebody else, of which only the GPUs matter. */
export const otherPod = ({
  metadata: { name, namespace, uid, resourceVersion },
  spec,
  ...kept
}: Pod): Pod => ({
  apiVersion: kept.apiVersion,
  kind: kept.kind,
  metadata: { name, ...(namespace !== undefined && { namespace }), uid, resourceVersion },
  spec: { gpus: spec.gpus, ...(spec.nodeName !== undefined && { nodeName: spec.nodeName }) },
});

/** True while it keeps the GPUs that it was given. */
export const holdsGpus = ({ spec, status }: Pod): boolean =>
  spec.nodeName !== undefined && spec.gpus > 0 && status?.phase !== "Succeeded" && status?.phase !== "Failed";

const taint = z.object({
  key: z.string(),
  value: z.string().exactOptional(),
  effect: z.string(),
});
export type Taint = z.output<typeof taint>;

/** Whether a node answers, and what pods may find on it. */
export const nodeView = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: metadata.pick({ name: true, uid: true, resourceVersion: true, labels: true }),
  spec: z
    .object({
      unschedulable: z.boolean().exactOptional(),
      taints: z.array(taint).exactOptional(),
    })
    .exactOptional(),
  status: z
    .object({
      conditions: z.array(observedCondition).exactOptional(),
      allocatable: z.record(z.string(), z.coerce.string()).exactOptional(),
    })
    .transform(({ allocatable, ...kept }) => ({ ...kept, gpus: Number(allocatable?.[gpuResource] ?? 0) }))
    .exactOptional(),
});
export type Node = z.output<typeof nodeView>;

/** Kueue's account of a group. It is owned by the group's pods. */
export const workloadView = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: metadata.pick({
    name: true,
    namespace: true,
    uid: true,
    resourceVersion: true,
    ownerReferences: true,
  }),
  status: z.object({ conditions: z.array(observedCondition).exactOptional() }).exactOptional(),
});
export type Workload = z.output<typeof workloadView>;

/** The specification stays unparsed here: only an object that is acted on is worth it. */
export const deploymentView = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: metadata.extend({ generation: z.int() }),
  spec: z.unknown(),
  status: z.unknown().optional(),
});
export type Deployment = z.output<typeof deploymentView>;

const amounts = z.record(z.string(), z.string());

export const quotaView = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata,
  spec: z.object({
    scopes: z.array(z.string()).exactOptional(),
    scopeSelector: z.unknown().optional(),
  }),
  status: z.object({ hard: amounts.exactOptional(), used: amounts.exactOptional() }).exactOptional(),
});
export type Quota = z.output<typeof quotaView>;

export const platformView = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata,
  spec: z.unknown(),
});
export type Platform = z.output<typeof platformView>;

/** A child as the API server holds it: every field counts, for seeing drift and for writing it back whole, save its status. */
export const childView = z
  .looseObject({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: z.looseObject({
      ...metadata.shape,
      ownerReferences: z.array(z.looseObject(ownerReference.shape)).exactOptional(),
    }),
  })
  .transform(({ status: _, ...kept }) => kept);
export type Child = z.output<typeof childView>;

/**
 * True when the newer object differs from the older in its status alone, which nobody here reads. The generation counts
 * changes of everything but metadata and status; kinds that have none have no status either that others write.
 */
export function saysTheSame({ metadata: old }: Child, { metadata: now }: Child): boolean {
  const { resourceVersion: _old, ...before } = old;
  const { resourceVersion: _now, ...after } = now;
  return now.generation !== undefined && isDeepStrictEqual(before, after);
}

/** A ComputeDomain with what its driver says of it. */
export const computeDomainView = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject(metadata.shape),
  status: z
    .looseObject({
      status: z.string().exactOptional(),
      nodes: z.array(z.looseObject({ name: z.string(), status: z.string().exactOptional() })).exactOptional(),
    })
    .exactOptional(),
});
export type ComputeDomain = z.output<typeof computeDomainView>;

/** The owner that controls the object; undefined for an orphan. */
export function controllerOf(object: Pick<KubeObject, "metadata">): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

/** The deployment that an object of ours says it is part of. Revisions carry another label, out of reach of pod selectors. */
export const deploymentName = ({ metadata }: Pick<KubeObject, "metadata">): string | undefined =>
  metadata.labels?.[labels.deployment] ?? metadata.labels?.[labels.revisionOf];
