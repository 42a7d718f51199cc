import { hardwareKinds, platformPresets, variants } from "../../crds/names.ts";
import { catalogueRules } from "../../synth/rules.ts";
import { type Document, deployment, platform } from "./documents.ts";

export type GoodCase = readonly [title: string, document: Document];

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
const secret = { name: "hf", key: "token" };

/** Every variant on every kind of hardware that can serve it, in two fields. */
const pairs: readonly GoodCase[] = variants.flatMap((variant) =>
  hardwareKinds
    .map((hardware) => ({ variant, hardware }))
    .filter((pair) => catalogueRules().every(({ check }) => check({ ...pair, replicas: 1 })))
    .map((pair): GoodCase => [`${pair.variant} on ${pair.hardware}`, deployment(pair)]),
);

/** Every pair, and documents that use every field of the API. Accepted by the API server and by the command line. */
export const goodCases: readonly GoodCase[] = [
  ...pairs,
  ["a name of 40 characters", deployment({}, { name: "a".repeat(40) })],
  ["a name of one letter", deployment({}, { name: "m" })],
  [
    "labels and annotations of its own",
    deployment(
      {},
      { labels: { "example.com/team": "a" }, annotations: { "Example.com/Note": "any text: ü" } },
    ),
  ],
  [
    "every field of its life",
    deployment({
      rollout: { maxUnavailable: 0, maxSurge: 1, partition: 1, paused: true, onFailure: "Rollback" },
      recovery: { maxRestarts: 0, windowSeconds: 60, nodeLossTimeoutSeconds: 10 },
      suspend: true,
    }),
  ],
  ["null where a field may be absent", deployment({ image: null, replicas: null, server: { port: null } })],
  ["no replicas, for an autoscaler", deployment({})],
  ["zero replicas", deployment({ replicas: 0 })],
  ["a thousand replicas", deployment({ replicas: 1000 })],
  ["Balanced", deployment({ profile: "Balanced" })],
  ["Latency", deployment({ profile: "Latency" })],
  ["Throughput", deployment({ profile: "Throughput" })],
  ["a context length", deployment({ contextLength: 32_768 })],
  [
    "all features Auto",
    deployment({
      features: {
        speculativeDecoding: "Auto",
        dataParallelAttention: "Auto",
        expertParallelism: "Auto",
        deepEP: "Auto",
        reasoningParser: "Auto",
        toolCallParser: "Auto",
      },
    }),
  ],
  [
    "features Enabled and Disabled",
    deployment({ features: { speculativeDecoding: "Disabled", deepEP: "Enabled" } }),
  ],
  ["a memory check that warns", deployment({ memoryCheck: "Warn" })],
  ["an image's tag", deployment({ image: { tag: "v0.5.18-cu129" } })],
  ["an image's digest", deployment({ image: { digest } })],
  [
    "a repository with port and tag",
    deployment({
      image: { repository: "registry.example.com:5000/team/sglang", tag: "mimo", pullPolicy: "Always" },
    }),
  ],
  ["a repository with digest", deployment({ image: { repository: "lmsysorg/sglang", digest } })],
  ["pull Secrets", deployment({ image: { pullSecrets: ["a", "registry.example.com"] } })],
  ["a Hugging Face download", deployment({ model: { huggingFace: {} } })],
  [
    "a gated Hugging Face repository",
    deployment({
      model: { huggingFace: { repository: "XiaomiMiMo/MiMo-V2.5", revision: "main", tokenSecret: secret } },
    }),
  ],
  ["a claim", deployment({ model: { persistentVolumeClaim: { claimName: "models" } } })],
  [
    "a folder of a claim",
    deployment({ model: { persistentVolumeClaim: { claimName: "models", path: "XiaomiMiMo/MiMo-V2.5" } } }),
  ],
  [
    "a folder whose name has two dots",
    deployment({ model: { persistentVolumeClaim: { claimName: "models", path: "mimo..v2/a...b" } } }),
  ],
  ["a host path", deployment({ model: { hostPath: { path: "/mnt/models/MiMo-V2.5" } } })],
  [
    "a model image",
    deployment({
      model: { image: { reference: `registry.example.com/models/mimo:1@${digest}`, path: "mimo" } },
    }),
  ],
  ["a port", deployment({ server: { port: 8000 } })],
  ["a served name", deployment({ server: { servedModelName: "XiaomiMiMo/MiMo-V2.5" } })],
  ["an API key", deployment({ server: { apiKeySecret: secret } })],
  [
    "an argument of 1024 characters outside Unicode's first plane",
    deployment({ server: { extraArgs: ["😀".repeat(1024)] } }),
  ],
  [
    "arguments that repeat",
    deployment({ server: { extraArgs: ["--log-level", "debug", "--log-level", "info"] } }),
  ],
  [
    "variables, one of them empty",
    deployment({
      server: {
        extraEnv: [
          { name: "NCCL_DEBUG", value: "INFO" },
          { name: "_EMPTY", value: "" },
        ],
      },
    }),
  ],
  ["CPU and memory", deployment({ resources: { cpu: 64, memory: "1536Gi", sharedMemory: "64Gi" } })],
  ["memory in tebibytes", deployment({ resources: { memory: "2Ti" } })],
  ["node labels", deployment({ scheduling: { nodeSelector: { "example.com/pool": "gpu", zone: "" } } })],
  ["a toleration of everything", deployment({ scheduling: { tolerations: [{ operator: "Exists" }] } })],
  [
    "a toleration with seconds",
    deployment({
      scheduling: {
        tolerations: [
          {
            key: "example.com/maintenance",
            operator: "Equal",
            value: "soon",
            effect: "NoExecute",
            tolerationSeconds: 300,
          },
        ],
      },
    }),
  ],
  [
    "a priority class and a scheduler",
    deployment({
      scheduling: { priorityClassName: "serving", schedulerName: "gpu-scheduler", queue: "team-a" },
    }),
  ],
  [
    "labels and annotations of the pods",
    deployment({
      podTemplate: {
        labels: { "example.com/team": "a" },
        annotations: { "example.com/note": "any text: ü" },
      },
    }),
  ],
  [
    "patches of the pods",
    deployment({
      podTemplate: {
        patches: [
          { op: "add", path: "/spec/hostAliases", value: "[]" },
          { op: "test", path: "/spec/nodeSelector/example.com~1pool", value: '"gpu"' },
          { op: "replace", path: "/spec/enableServiceLinks", value: "true" },
          { op: "remove", path: "/spec/volumes/0" },
        ],
      },
    }),
  ],
  ["an empty platform", platform({})],
  [
    "a platform with a queue",
    platform({ queue: { system: "Kueue", name: "team-a", topologyKey: "nvidia.com/gpu.clique" } }),
  ],
  [
    "a platform with a scheduler for gangs",
    platform({ queue: { system: "Volcano", name: "serving", schedulerName: "volcano-gpu" } }),
  ],
  [
    "a platform's nodes",
    platform({
      hardware: [
        {
          kind: "H200",
          nodeSelector: { gpu: "h200" },
          tolerations: [{ key: "gpu" }],
          runtimeClassName: "nvidia",
          nodeMemory: "2Ti",
          mnnvl: "Off",
          nvlinkDomainLabel: "ds.coreweave.com/nvlink.domain",
          nodesOnDemand: true,
        },
        { kind: "GB300" },
      ],
    }),
  ],
  ...platformPresets.map((preset): GoodCase => [`the preset ${preset}`, platform({ preset })]),
  [
    "a platform's fabric",
    platform({
      preset: "OnPremises",
      hardware: [
        {
          kind: "H200",
          fabric: {
            resources: { "rdma/ib": "8", "example.com/Switch_A.1": "999", "hugepages-2Mi": "5120Mi" },
            ibHca: "^=mlx5_0:1,mlx5_3:2",
            ibGidIndex: 0,
            ibTrafficClass: 255,
            interface: "bond0.100",
            socketInterfaces: "^lo,docker",
            nvshmemHcaPeMapping: "mlx5_0:1:2,mlx5_1:1:2",
            env: [{ name: "FI_PROVIDER", value: "" }],
            annotations: { "k8s.v1.cni.cncf.io/networks": '[{"name": "rail-0"}]' },
            hostNetwork: { httpPort: 19_999 },
          },
        },
        { kind: "H100", fabric: { ibHca: "=mlx5_0,mlx5_3", socketInterfaces: "=eth0", resources: {} } },
      ],
    }),
  ],
  [
    "a platform's images",
    platform({
      images: {
        registry: "registry.example.com:5000/mirror",
        digests: [{ image: "lmsysorg/sglang:v0.5.18", digest }],
        pullSecrets: ["mirror"],
        runAsUser: 2_147_483_647,
      },
      limits: { queues: ["team-a"], podMetadataDomains: ["prometheus.io", "example"] },
    }),
  ],
  [
    "a platform's volumes",
    platform({
      clusterDomain: "cluster.example.com",
      modelStore: { persistentVolumeClaim: { claimName: "models" }, shared: true, readGibPerSecond: 5 },
      cacheVolume: { hostPath: { path: "/var/cache/mimo" } },
      allowedHostPaths: ["/mnt/models"],
      allowedPodTemplatePaths: ["/spec/hostAliases", "/spec/containers/0/securityContext", "/spec"],
    }),
  ],
];
