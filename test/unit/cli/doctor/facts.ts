import { customResourceDefinitions } from "../../../../charts/crds.ts";
import { type Facts, type GpuNode, gpuNode, type Known } from "../../../../operator/cli/doctor/facts.ts";
import { type Pod, podView } from "../../../../operator/deployment/objects.ts";
import { type GpuKind, gpuNode as nodeObject } from "../../../controlplane/nodes.ts";

export const known = <T>(value: T): Known<T> => ({ known: true, value });
export const unknown = { known: false, why: "these credentials may not see it" } as const;

/** Changes of a node that is in order. */
export interface NodeChanges {
  readonly labels?: Readonly<Record<string, string>>;
  readonly clique?: string;
  readonly offers?: Readonly<Record<string, string>>;
  readonly unschedulable?: true;
}

export function node(kind: GpuKind, name: string, changes: NodeChanges = {}): GpuNode {
  const { labels = {}, clique, offers = {}, unschedulable } = changes;
  const object = nodeObject({ kind, name, labels, ...(clique !== undefined && { clique }) });
  return gpuNode.parse({
    ...object,
    metadata: { ...object.metadata, uid: name, resourceVersion: "1" },
    spec: { ...object.spec, ...(unschedulable && { unschedulable }) },
    status: {
      ...object.status,
      allocatable: { ...object.status.allocatable, ...offers },
      conditions: [{ type: "Ready", status: "True" }],
    },
  });
}

export const holder = (name: string, nodeName: string, gpus: number): Pod =>
  podView.parse({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "other", uid: name, resourceVersion: "1" },
    spec: { nodeName, containers: [{ resources: { limits: { "nvidia.com/gpu": String(gpus) } } }] },
    status: { phase: "Running" },
  });

const driver = { name: "dra", namespace: "nvidia", image: "nvcr.io/nvidia/k8s-dra-driver-gpu:v25.8.1" };

/** A cluster in order, with two nodes of H200 and of GB300. */
export function healthy(changes: Partial<Facts> = {}): Facts {
  return {
    version: known("v1.36.3"),
    nodes: known([
      node("H200", "h200-0"),
      node("H200", "h200-1"),
      node("GB300", "gb300-0"),
      node("GB300", "gb300-1"),
    ]),
    pods: known([]),
    definitions: known(customResourceDefinitions()),
    operators: known([
      { name: "mimo-operator", namespace: "mimo-system", image: "mimo-operator:1", ready: 2, wanted: 2 },
    ]),
    platform: known({ hardware: [{ kind: "H200", fabric: { resources: { "rdma/ib": "8" } } }] }),
    storageClasses: known([{ name: "fast", isDefault: true }]),
    storeClaim: known(undefined),
    namespace: "team-a",
    served: known(["computedomains of resource.nvidia.com/v1beta1"]),
    draDrivers: known([{ ...driver, ready: 2, wanted: 2 }]),
    ...changes,
  };
}
