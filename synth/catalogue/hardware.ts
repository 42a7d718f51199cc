import type { Hardware } from "../../crds/names.ts";
import type { Toleration } from "../../crds/schema.ts";

export type Generation = "Hopper" | "Blackwell";

/** One kind of GPU node as NVIDIA's node labelling (GPU feature discovery) shows it. */
export interface HardwareFacts {
  readonly generation: Generation;
  readonly architecture: "amd64" | "arm64";
  readonly gpusPerNode: number;
  /** nvidia.com/gpu.product, exact. */
  readonly productLabel: string;
  /** nvidia.com/gpu.memory, MiB. */
  readonly memoryLabelMib: number;
  /** GPU memory that a process finds free, GiB; the base that --mem-fraction-static is taken of. Not measured. */
  readonly freeGpuMemoryGib: number;
  /** Whether NVLink spans nodes of one rack (MNNVL). */
  readonly multiNodeNvlink: boolean;
  readonly tolerations: readonly Toleration[];
  /** What a pod that takes all GPUs of a node asks for at most; common instances offer more. */
  readonly podCpu: number;
  readonly podMemoryGib: number;
  readonly source: string;
}

const gpuTaint: Toleration = { key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" };
const armTaint: Toleration = {
  key: "kubernetes.io/arch",
  operator: "Equal",
  value: "arm64",
  effect: "NoSchedule",
};

const hgx = {
  architecture: "amd64",
  gpusPerNode: 8,
  multiNodeNvlink: false,
  tolerations: [gpuTaint],
  podCpu: 64,
} as const;

export const hardware: Readonly<Record<Hardware, HardwareFacts>> = {
  H20: {
    ...hgx,
    generation: "Hopper",
    productLabel: "NVIDIA-H20",
    memoryLabelMib: 97_871,
    freeGpuMemoryGib: 95,
    podMemoryGib: 900,
    source: "GPU feature discovery label of H20 96 GB; the 141 GB model carries another product label",
  },
  H100: {
    ...hgx,
    generation: "Hopper",
    productLabel: "NVIDIA-H100-80GB-HBM3",
    memoryLabelMib: 81_559,
    freeGpuMemoryGib: 79,
    podMemoryGib: 1400,
    source: "GPU feature discovery label of H100 SXM; NVL and PCIe cards carry others",
  },
  H200: {
    ...hgx,
    generation: "Hopper",
    productLabel: "NVIDIA-H200",
    memoryLabelMib: 143_771,
    freeGpuMemoryGib: 139,
    podMemoryGib: 1600,
    source: "GPU feature discovery label of H200 SXM; NVL cards carry another",
  },
  B200: {
    ...hgx,
    generation: "Blackwell",
    productLabel: "NVIDIA-B200",
    memoryLabelMib: 183_359,
    freeGpuMemoryGib: 178,
    podMemoryGib: 1600,
    source: "GPU feature discovery label of B200",
  },
  GB300: {
    generation: "Blackwell",
    architecture: "arm64",
    gpusPerNode: 4,
    productLabel: "NVIDIA-GB300",
    memoryLabelMib: 284_208,
    freeGpuMemoryGib: 276,
    multiNodeNvlink: true,
    tolerations: [gpuTaint, armTaint],
    podCpu: 64,
    podMemoryGib: 800,
    source: "GPU feature discovery label of GB300; Grace nodes of 4 GPUs in an NVL72 rack",
  },
};
