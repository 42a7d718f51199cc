import type { BadCase } from "../bad.ts";
import { deployment } from "../documents.ts";

export const badChoices: readonly BadCase[] = [
  ["an unknown variant", deployment({ variant: "MiMo-V3" }), "spec.variant", '"MiMo-V2.5-Pro"'],
  ["a variant in lower case", deployment({ variant: "mimo-v2.5" }), "spec.variant", '"MiMo-V2.5"'],
  ["hardware in lower case", deployment({ hardware: "h200" }), "spec.hardware", '"H200"'],
  ["hardware nobody has", deployment({ hardware: "A100" }), "spec.hardware", "supported values"],
  ["an unknown profile", deployment({ profile: "Fast" }), "spec.profile", '"Latency"'],
  ["an unknown runtime", deployment({ runtime: "latest" }), "spec.runtime", '"day0"'],
  [
    "a feature that is on",
    deployment({ features: { speculativeDecoding: "On" } }),
    "spec.features.speculativeDecoding",
    '"Enabled"',
  ],
  ["an unknown memory check", deployment({ memoryCheck: "Off" }), "spec.memoryCheck", '"Warn"'],
  [
    "an unknown pull policy",
    deployment({ image: { pullPolicy: "Sometimes" } }),
    "spec.image.pullPolicy",
    '"IfNotPresent"',
  ],
  ["an empty enum", deployment({ profile: "" }), "spec.profile", "supported values"],
];

export const badNumbers: readonly BadCase[] = [
  ["negative replicas", deployment({ replicas: -1 }), "spec.replicas", "greater than or equal to 0"],
  [
    "a thousand and one replicas",
    deployment({ replicas: 1001 }),
    "spec.replicas",
    "less than or equal to 1000",
  ],
  ["replicas beyond 64 bits", deployment({ replicas: 1e20 }), "spec.replicas", "less than or equal to 1000"],
  ["one and a half replicas", deployment({ replicas: 1.5 }), "spec.replicas", "must be of type int32"],
  ["replicas in quotes", deployment({ replicas: "3" }), "spec.replicas", "must be of type integer"],
  [
    "a context of no length",
    deployment({ contextLength: 0 }),
    "spec.contextLength",
    "greater than or equal to 1024",
  ],
  [
    "a context beyond every model",
    deployment({ contextLength: 100_000_000 }),
    "spec.contextLength",
    "less than or equal to 16777216",
  ],
  [
    "a context as a word",
    deployment({ contextLength: "256k" }),
    "spec.contextLength",
    "must be of type integer",
  ],
  [
    "a privileged port",
    deployment({ server: { port: 80 } }),
    "spec.server.port",
    "greater than or equal to 1024",
  ],
  [
    "a port beyond 16 bits",
    deployment({ server: { port: 70_000 } }),
    "spec.server.port",
    "less than or equal to 55535",
  ],
  ["no CPU", deployment({ resources: { cpu: 0 } }), "spec.resources.cpu", "greater than or equal to 1"],
  [
    "CPU in millicores",
    deployment({ resources: { cpu: "500m" } }),
    "spec.resources.cpu",
    "must be of type integer",
  ],
  ["memory without unit", deployment({ resources: { memory: "512" } }), "spec.resources.memory", '"512Gi"'],
  [
    "memory as a number",
    deployment({ resources: { memory: 512 } }),
    "spec.resources.memory",
    "must be of type string",
  ],
  ["negative memory", deployment({ resources: { memory: "-5Gi" } }), "spec.resources.memory", "Mi, Gi or Ti"],
  [
    "memory of an exbibyte",
    deployment({ resources: { memory: "1Ei" } }),
    "spec.resources.memory",
    "Mi, Gi or Ti",
  ],
  [
    "memory of twenty digits",
    deployment({ resources: { memory: `${"9".repeat(20)}Gi` } }),
    "spec.resources.memory",
    "may not be more than 16",
  ],
  [
    "shared memory in decimal units",
    deployment({ resources: { sharedMemory: "64G" } }),
    "spec.resources.sharedMemory",
    "Mi, Gi or Ti",
  ],
];

export const badLifecycles: readonly BadCase[] = [
  [
    "an update that may neither stop a group nor add one",
    deployment({ rollout: { maxUnavailable: 0 } }),
    "spec.rollout",
    "needs rollout.maxSurge 1 or more",
  ],
  [
    "a way back of its own invention",
    deployment({ rollout: { onFailure: "Retry" } }),
    "spec.rollout.onFailure",
    '"Rollback"',
  ],
  [
    "a window of a second",
    deployment({ recovery: { windowSeconds: 1 } }),
    "spec.recovery.windowSeconds",
    "greater than or equal to 60",
  ],
  ["suspend as a word", deployment({ suspend: "yes" }), "spec.suspend", "boolean"],
];
