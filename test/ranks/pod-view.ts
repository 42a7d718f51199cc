/** What the mini kubelet reads of a pod. */
import { z } from "zod";

const probe = z.object({
  httpGet: z.object({ path: z.string(), port: z.union([z.string(), z.int()]) }),
  initialDelaySeconds: z.int().default(0),
  periodSeconds: z.int(),
  timeoutSeconds: z.int(),
  failureThreshold: z.int(),
  terminationGracePeriodSeconds: z.int().optional(),
});
export type Probe = z.output<typeof probe>;

const variable = z.object({
  name: z.string(),
  value: z.string().default(""),
  valueFrom: z.object({ fieldRef: z.object({ fieldPath: z.string() }).optional() }).optional(),
});

const container = z.object({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()).default([]),
  args: z.array(z.string()).default([]),
  env: z.array(variable).default([]),
  ports: z.array(z.object({ name: z.string().optional(), containerPort: z.int() })).default([]),
  startupProbe: probe.optional(),
  readinessProbe: probe.optional(),
  livenessProbe: probe.optional(),
  terminationMessagePolicy: z.string().optional(),
  lifecycle: z
    .object({ preStop: z.object({ sleep: z.object({ seconds: z.int() }).optional() }).optional() })
    .optional(),
});
export type Container = z.output<typeof container>;

const condition = z.looseObject({ type: z.string(), status: z.string() });
export type PodCondition = z.output<typeof condition>;

/** Pods of one container, which is all that the operator makes. */
export const podView = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
    annotations: z.record(z.string(), z.string()).default({}),
    deletionTimestamp: z.string().exactOptional(),
    deletionGracePeriodSeconds: z.int().optional(),
  }),
  spec: z.object({
    nodeName: z.string().optional(),
    hostname: z.string().optional(),
    subdomain: z.string().optional(),
    terminationGracePeriodSeconds: z.int(),
    containers: z.tuple([container]),
  }),
  status: z.object({
    phase: z.string().default("Pending"),
    podIP: z.string().optional(),
    conditions: z.array(condition).default([]),
  }),
});
export type PodView = z.output<typeof podView>;

/** The name that the headless Service gives the pod; undefined for a pod of no such Service. */
export function dnsName({ metadata, spec }: PodView, clusterDomain: string): string | undefined {
  if (spec.hostname === undefined || spec.subdomain === undefined) return undefined;
  return `${spec.hostname}.${spec.subdomain}.${metadata.namespace}.svc.${clusterDomain}`;
}
