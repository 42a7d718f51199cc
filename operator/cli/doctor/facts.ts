import { z } from "zod";
import type { CustomResourceDefinition } from "../../../crds/definition.ts";
import { nodeView, type Pod } from "../../deployment/objects.ts";

/** What was read, or why it couldn't be. */
export type Known<T> =
  | { readonly known: true; readonly value: T }
  | { readonly known: false; readonly why: string };

/** Everything that the checks judge by. */
export interface Facts {
  /** Of the API server, such as "v1.36.3". */
  readonly version: Known<string>;
  /** Nodes that offer GPUs, or are labelled to. */
  readonly nodes: Known<readonly GpuNode[]>;
  readonly pods: Known<readonly Pod[]>;
  /** Ours, as they are installed. */
  readonly definitions: Known<readonly Pick<CustomResourceDefinition, "metadata" | "spec">[]>;
  readonly operators: Known<readonly Program[]>;
  /** The spec of the MiMoPlatform; undefined when there is none. */
  readonly platform: Known<unknown>;
  readonly storageClasses: Known<readonly StorageClass[]>;
  /** Phase of the claim that the platform keeps checkpoints in, in the namespace looked at; undefined when it isn't there. */
  readonly storeClaim: Known<string | undefined>;
  readonly namespace: string;
  /** Of optional APIs, those that are served: "<plural> of <apiVersion>". */
  readonly served: Known<readonly string[]>;
  /** NVIDIA's DRA driver, on nodes and as a controller. */
  readonly draDrivers: Known<readonly Program[]>;
}

/** A Deployment or DaemonSet. */
export interface Program {
  readonly name: string;
  readonly namespace: string;
  readonly image: string;
  readonly ready: number;
  readonly wanted: number;
}

export interface StorageClass {
  readonly name: string;
  readonly isDefault: boolean;
}

const offered = z.object({
  metadata: z.object({ labels: z.record(z.string(), z.string()).default({}) }),
  status: z.object({ allocatable: z.record(z.string(), z.coerce.string()).default({}) }),
});

/** A node as placement sees it, with its labels and the resources that it offers. */
export const gpuNode = z.unknown().transform((node) => {
  const { metadata, status } = offered.parse(node);
  return { ...nodeView.parse(node), labels: metadata.labels, offers: status.allocatable };
});
export type GpuNode = z.output<typeof gpuNode>;

export const gpusOf = ({ offers }: GpuNode): number => Number(offers["nvidia.com/gpu"] ?? 0);
export const labelOf = ({ labels }: GpuNode, label: string): string | undefined => labels[label];
/** By its GPUs, or by what NVIDIA's labelling says of it. */
export const hasGpus = (node: GpuNode): boolean =>
  gpusOf(node) > 0 || labelOf(node, "nvidia.com/gpu.present") === "true";

const count = z.int().default(0);
const podTemplate = z.object({
  spec: z.object({ containers: z.array(z.object({ image: z.string().default("") })) }),
});
const names = z.object({ name: z.string(), namespace: z.string().default("") });

const deployment = z.object({
  metadata: names,
  spec: z.object({ replicas: count, template: podTemplate }),
  status: z.object({ readyReplicas: count }).prefault({}),
});
const daemonSet = z.object({
  metadata: names,
  spec: z.object({ template: podTemplate }),
  status: z.object({ numberReady: count, desiredNumberScheduled: count }).prefault({}),
});

export function deploymentProgram(object: unknown): Program {
  const { metadata, spec, status } = deployment.parse(object);
  return { ...metadata, image: imageOf(spec), ready: status.readyReplicas, wanted: spec.replicas };
}

export function daemonSetProgram(object: unknown): Program {
  const { metadata, spec, status } = daemonSet.parse(object);
  return {
    ...metadata,
    image: imageOf(spec),
    ready: status.numberReady,
    wanted: status.desiredNumberScheduled,
  };
}

const imageOf = ({ template }: { template: z.output<typeof podTemplate> }): string =>
  template.spec.containers[0]?.image ?? "";

const defaultClass = "storageclass.kubernetes.io/is-default-class";
const storageClass = z.object({
  metadata: z.object({
    name: z.string(),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
});

export function readStorageClass(object: unknown): StorageClass {
  const { name, annotations } = storageClass.parse(object).metadata;
  return { name, isDefault: annotations[defaultClass] === "true" };
}
