import type { ServingPlan } from "../../../synth/serving-plan.ts";

/** A whole plan on one node; tests change what they are about. */
export function servingPlan(changes: Partial<ServingPlan> = {}): ServingPlan {
  return {
    name: "flash",
    namespace: "team-a",
    variant: "MiMo-V2-Flash",
    hardware: "H200",
    profile: "Balanced",
    runtime: "day0",
    image: { reference: "lmsysorg/sglang:dev-pr-15207", pullPolicy: "IfNotPresent", pullSecrets: [] },
    nodes: 1,
    gpusPerNode: 8,
    tensorParallel: 8,
    dataParallel: 2,
    expertParallel: 1,
    contextLength: 262_144,
    command: ["sglang", "serve", "--model-path", "/models/MiMo-V2-Flash", "--host", "0.0.0.0"],
    env: { SGLANG_ENABLE_SPEC_V2: "1" },
    secretEnv: [],
    port: 30_000,
    servedModelName: "MiMo-V2-Flash",
    memory: { weightsGibPerGpu: 38.5, kvGibPerGpu: 60, tokensPerDataParallelRank: 900_000, fits: true },
    model: {
      source: "PersistentVolumeClaim",
      reference: "models",
      mountPath: "/models",
      checkpointGib: 300,
    },
    cache: { source: "EmptyDir", reference: "", mountPath: "/cache" },
    resources: { cpu: 96, memoryGib: 512, sharedMemoryGib: 64 },
    placement: {
      nodeSelector: { "nvidia.com/gpu.product": "NVIDIA-H200" },
      tolerations: [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }],
    },
    startupSeconds: 3600,
    podLabels: {},
    podAnnotations: {},
    clusterDomain: "cluster.local",
    provenance: { level: "Published", source: "https://example.com/flash", note: "" },
    warnings: [],
    ...changes,
  };
}

/** A plan whose groups span two nodes and use RDMA. */
export function twoNodePlan(changes: Partial<ServingPlan> = {}): ServingPlan {
  return servingPlan({
    name: "pro",
    variant: "MiMo-V2.5-Pro",
    nodes: 2,
    tensorParallel: 16,
    command: [
      "sglang",
      "serve",
      "--node-rank",
      "$(NODE_RANK)",
      "--dist-init-addr",
      "$(RANK0_HOST):$(DIST_PORT)",
    ],
    resources: { cpu: 96, memoryGib: 1024, sharedMemoryGib: 64, devices: { "rdma/ib": "1" } },
    ...changes,
  });
}
