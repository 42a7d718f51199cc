/** Fake GPU nodes that look to a scheduler and an operator like the real ones. */
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { type ApiAccess, callApi } from "./api.ts";
import { KWOK_NODE_ANNOTATION } from "./kwok.ts";

export type GpuKind = "H20" | "H100" | "H200" | "B200" | "GB300";

export interface GpuNodeOptions {
  readonly kind: GpuKind;
  readonly name: string;
  /** NVLink domain, `<cluster UUID>.<clique id>`; GB300 only. Default: one domain for all. */
  readonly clique?: string;
  /** Further labels, such as a zone or a rack; one given here wins. */
  readonly labels?: Readonly<Record<string, string>>;
  /** GPUs of the node (default 8; 4 for GB300). A large one packs many groups on few nodes, each costing heartbeats. */
  readonly gpus?: number;
  /** Port on loopback at which the API server asks for the logs of its pods. Without it there are none. */
  readonly logPort?: number;
}

/** What is created: a v1 Node. */
export interface NodeObject {
  readonly apiVersion: "v1";
  readonly kind: "Node";
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly taints: readonly { key: string; value: string; effect: string }[] };
  readonly status: {
    readonly capacity: Readonly<Record<string, string>>;
    readonly allocatable: Readonly<Record<string, string>>;
    readonly nodeInfo: Readonly<Record<string, string>>;
    readonly addresses: readonly { type: string; address: string }[];
    readonly daemonEndpoints?: { readonly kubeletEndpoint: { readonly Port: number } };
  };
}

interface Machine {
  readonly product: string;
  /** As GPU Feature Discovery prints it. */
  readonly gpuMemoryMib: number;
  /** Compute capability. */
  readonly compute: readonly [major: number, minor: number];
  /** As GPU Feature Discovery prints it; releases that do not know Blackwell say `undefined`. */
  readonly family: string;
  readonly model: string;
  readonly architecture: "amd64" | "arm64";
  readonly gpus: number;
  readonly cpus: number;
  readonly memoryGib: number;
}

/** An HGX board's host; a GB300 compute tray has two Grace CPUs of 72 cores with 480 GB each. */
const HGX = { architecture: "amd64", gpus: 8, cpus: 192, memoryGib: 2048 } as const;

const MACHINES: Readonly<Record<GpuKind, Machine>> = {
  H20: {
    ...HGX,
    product: "NVIDIA-H20",
    gpuMemoryMib: 97871,
    compute: [9, 0],
    family: "hopper",
    model: "HGX-H20",
  },
  H100: {
    ...HGX,
    product: "NVIDIA-H100-80GB-HBM3",
    gpuMemoryMib: 81559,
    compute: [9, 0],
    family: "hopper",
    model: "HGX-H100",
  },
  H200: {
    ...HGX,
    product: "NVIDIA-H200",
    gpuMemoryMib: 143771,
    compute: [9, 0],
    family: "hopper",
    model: "HGX-H200",
  },
  B200: {
    ...HGX,
    product: "NVIDIA-B200",
    gpuMemoryMib: 183359,
    compute: [10, 0],
    family: "blackwell",
    model: "HGX-B200",
  },
  GB300: {
    product: "NVIDIA-GB300",
    gpuMemoryMib: 284208,
    compute: [10, 3],
    family: "blackwell",
    model: "GB300-NVL72",
    architecture: "arm64",
    gpus: 4,
    cpus: 144,
    memoryGib: 880,
  },
};

const DRIVER = { major: "580", minor: "105", revision: "08" };
const CUDA = { major: "13", minor: "0" };
const DEFAULT_CLIQUE = "a2221497-dbce-4964-8826-684c3694fd45.1";
const READY_TIMEOUT_SECONDS = 60;

/** The Node object of a machine with GPUs, as the GPU operator leaves it: labels, taint, extended resources. */
export function gpuNode(options: GpuNodeOptions): NodeObject {
  const { kind, name, logPort } = options;
  const machine = MACHINES[kind];
  const gpus = options.gpus ?? machine.gpus;
  // Many small machines in one: what a pod asks for beside its GPUs has to grow along.
  const scale = Math.max(1, gpus / machine.gpus);
  const resources = {
    cpu: String(Math.round(machine.cpus * scale)),
    memory: `${Math.round(machine.memoryGib * scale)}Gi`,
    "ephemeral-storage": `${Math.round(8192 * scale)}Gi`,
    pods: String(Math.round(110 * scale)),
    "nvidia.com/gpu": String(gpus),
    "rdma/ib": String(gpus),
  };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.architecture,
        "node.kubernetes.io/instance-type": machine.model,
        ...gpuLabels(machine, gpus),
        ...(kind === "GB300" ? { "nvidia.com/gpu.clique": options.clique ?? DEFAULT_CLIQUE } : {}),
        ...options.labels,
      },
      annotations: { ...KWOK_NODE_ANNOTATION, "node.alpha.kubernetes.io/ttl": "0" },
    },
    spec: { taints: [{ key: "nvidia.com/gpu", value: "present", effect: "NoSchedule" }] },
    status: {
      capacity: resources,
      allocatable: resources,
      nodeInfo: nodeInfo(name, machine.architecture),
      ...(logPort === undefined
        ? { addresses: [{ type: "Hostname", address: name }] }
        : {
            addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
            daemonEndpoints: { kubeletEndpoint: { Port: logPort } },
          }),
    },
  };
}

/** The labels GPU Feature Discovery and the GPU operator set. */
function gpuLabels(machine: Machine, gpus: number): Record<string, string> {
  const label: Record<string, string> = {
    "gpu.present": "true",
    "gpu.product": machine.product,
    "gpu.count": String(gpus),
    "gpu.memory": String(machine.gpuMemoryMib),
    "gpu.family": machine.family,
    "gpu.machine": machine.model,
    "gpu.compute.major": String(machine.compute[0]),
    "gpu.compute.minor": String(machine.compute[1]),
    "gpu.mode": "compute",
    "gpu.replicas": "1",
    "gpu.sharing-strategy": "none",
    "cuda.driver.major": DRIVER.major,
    "cuda.driver.minor": DRIVER.minor,
    "cuda.driver.rev": DRIVER.revision,
    "cuda.driver-version.major": DRIVER.major,
    "cuda.driver-version.minor": DRIVER.minor,
    "cuda.driver-version.revision": DRIVER.revision,
    "cuda.driver-version.full": `${DRIVER.major}.${DRIVER.minor}.${DRIVER.revision}`,
    "cuda.runtime.major": CUDA.major,
    "cuda.runtime.minor": CUDA.minor,
    "cuda.runtime-version.major": CUDA.major,
    "cuda.runtime-version.minor": CUDA.minor,
    "cuda.runtime-version.full": `${CUDA.major}.${CUDA.minor}`,
    "mig.capable": "true",
    "mig.strategy": "single",
  };
  return Object.fromEntries(Object.entries(label).map(([key, value]) => [`nvidia.com/${key}`, value]));
}

function nodeInfo(name: string, architecture: string): Record<string, string> {
  return {
    architecture,
    operatingSystem: "linux",
    osImage: "Ubuntu 24.04 LTS",
    kernelVersion: "6.8.0",
    containerRuntimeVersion: "containerd://2.1.0",
    kubeletVersion: "v1.36.3",
    kubeProxyVersion: "",
    machineID: name,
    systemUUID: name,
    bootID: name,
  };
}

const nodeList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      spec: z.object({ taints: z.array(z.object({ key: z.string() })).default([]) }),
      status: z.object({
        conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
      }),
    }),
  ),
});

/** Creates the nodes and waits until kwok has made each Ready and pods can be bound to it. */
export async function createGpuNodes(access: ApiAccess, nodes: readonly NodeObject[]): Promise<void> {
  for (const body of nodes) await callApi(access, "/api/v1/nodes", { method: "POST", body });
  const waiting = new Set(nodes.map((node) => node.metadata.name));
  const deadline = performance.now() + READY_TIMEOUT_SECONDS * 1000;
  for (;;) {
    const { items } = nodeList.parse(await callApi(access, "/api/v1/nodes"));
    for (const { metadata, spec, status } of items) {
      const ready = status.conditions.some(({ type, status }) => type === "Ready" && status === "True");
      if (ready && !spec.taints.some(({ key }) => key === "node.kubernetes.io/not-ready"))
        waiting.delete(metadata.name);
    }
    if (waiting.size === 0) return;
    if (performance.now() > deadline) {
      throw new Error(
        `nodes not Ready after ${READY_TIMEOUT_SECONDS} s: ${[...waiting].join(", ")}. Is kwok running? See kwok.log.`,
      );
    }
    await delay(100);
  }
}
