import type { PodPatch } from "../crds/deployment.ts";
import type { Hardware, Profile, QueueSystem, Runtime, Variant } from "../crds/names.ts";
import type { Toleration } from "../crds/schema.ts";

/**
 * Everything that one revision of a deployment runs with, resolved: no default is left open.
 * JSON-safe, because it is frozen in a ControllerRevision and read back by later versions of the operator.
 * What may change without new pods (replicas) is not part of it.
 */
export interface ServingPlan {
  readonly name: string;
  readonly namespace: string;
  readonly variant: Variant;
  readonly hardware: Hardware;
  readonly profile: Profile;
  readonly runtime: Runtime;
  readonly image: ImagePlan;
  /** Pods (= nodes) of one serving group and the GPUs that each asks for. */
  readonly nodes: number;
  readonly gpusPerNode: number;
  readonly tensorParallel: number;
  readonly dataParallel: number;
  readonly expertParallel: number;
  readonly contextLength: number;
  /** argv of the container. `$(NODE_RANK)`, `$(RANK0_HOST)` and `$(DIST_PORT)` are expanded by the kubelet. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Environment from Secrets that the kubelet resolves; the operator never reads them. */
  readonly secretEnv: readonly { readonly name: string; readonly secret: string; readonly key: string }[];
  /** Of the Services. */
  readonly port: number;
  /** Set where pods use their node's network: the server listens there. */
  readonly hostPort?: number;
  readonly servedModelName: string;
  readonly memory: MemoryPlan;
  readonly model: ModelPlan;
  readonly cache: CachePlan;
  readonly resources: ResourcePlan;
  readonly placement: PlacementPlan;
  /** Absent where groups are not queued. */
  readonly queue?: QueuePlan;
  /** Present where the ranks of a group use NVLink between their nodes. Plans frozen by earlier versions lack it. */
  readonly nvlink?: NvlinkPlan;
  readonly startupSeconds: number;
  readonly podLabels: Readonly<Record<string, string>>;
  readonly podAnnotations: Readonly<Record<string, string>>;
  /** Of the rendered pod template. Absent where there are none. */
  readonly podPatches?: readonly PodPatch[];
  readonly clusterDomain: string;
  readonly provenance: Provenance;
  readonly warnings: readonly string[];
}

export interface ImagePlan {
  /** Whole reference, mirror and digest included. */
  readonly reference: string;
  readonly pullPolicy: "Always" | "IfNotPresent" | "Never";
  readonly pullSecrets: readonly string[];
  /** Absent: the image's own user, root in those of the catalogue. */
  readonly runAsUser?: number;
  /** Of NVIDIA's driver, for the CUDA inside; absent where it isn't known, as for an image of the request's own. */
  readonly leastDriver?: string;
}

/** GPU memory, estimated from the checkpoint's tensors; not measured on GPUs. */
export interface MemoryPlan {
  readonly weightsGibPerGpu: number;
  readonly kvGibPerGpu: number;
  /** Tokens that the full attention layers of one data parallel rank can hold. */
  readonly tokensPerDataParallelRank: number;
  readonly fits: boolean;
}

export interface ModelPlan {
  readonly source: "Ephemeral" | "PersistentVolumeClaim" | "HostPath" | "Image";
  /** claim name, host path or image reference; empty for Ephemeral. */
  readonly reference: string;
  /** Where the volume is mounted; for Ephemeral, the download folder. */
  readonly mountPath: string;
  readonly checkpointGib: number;
}

export interface CachePlan {
  readonly source: "EmptyDir" | "PersistentVolumeClaim" | "HostPath";
  readonly reference: string;
  readonly mountPath: string;
}

export interface ResourcePlan {
  readonly cpu: number;
  /** Whole pod, /dev/shm included. */
  readonly memoryGib: number;
  readonly sharedMemoryGib: number;
  /** Only when the checkpoint is downloaded into the pod. */
  readonly ephemeralStorageGib?: number;
  /** Extended resources of the fabric to their counts, hugepages to their sizes; asking for them brings IPC_LOCK. */
  readonly devices?: Readonly<Record<string, string>>;
}

export interface NvlinkPlan {
  /** Node label whose value names the NVLink domain. */
  readonly domainLabel: string;
}

export interface PlacementPlan {
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Toleration[];
  readonly priorityClassName?: string;
  readonly schedulerName?: string;
  readonly runtimeClassName?: string;
}

export interface QueuePlan {
  readonly system: QueueSystem;
  /** Absent: the system's own default queue, or it has none. */
  readonly name?: string;
  /** Kueue: node label of which all ranks of a group get one value. */
  readonly topologyKey?: string;
}

/** How much is known about a recipe. Verified: its publisher says so. Published: published, not verified. Derived: ours. */
export interface Provenance {
  readonly level: "Verified" | "Published" | "Derived";
  /** Repository path and commit, or page, that it comes from. */
  readonly source: string;
  /** What differs from the source and why; empty when nothing does. */
  readonly note: string;
}

/** One reason why a request can't work, with the remedy in the message. */
export interface Refusal {
  /** Stable, PascalCase: the condition's reason. */
  readonly code: string;
  /** Path in the resource, for example "spec.contextLength". */
  readonly field: string;
  readonly message: string;
}

export type PlanResult =
  | { readonly accepted: true; readonly plan: ServingPlan }
  | { readonly accepted: false; readonly refusals: readonly [Refusal, ...Refusal[]] };
