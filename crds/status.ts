import { z } from "zod";
import { int32, listByKey, setOf, words } from "./schema.ts";

const condition = z.object({
  type: words(64).describe(
    "Ready, Available, Reconciling, Stalled, Accepted, MemoryFit, PlacementReady or UpdateAvailable.",
  ),
  status: z.enum(["True", "False", "Unknown"]),
  reason: words(128),
  message: words(4096),
  observedGeneration: z.int().min(0).meta({ format: "int64" }).optional(),
  lastTransitionTime: words(64).meta({ format: "date-time" }),
});
export type Condition = z.output<typeof condition>;

const memory = z.object({
  weightsGibPerGpu: words(16),
  kvGibPerGpu: words(16),
  tokensPerDataParallelRank: z.int().min(0).meta({ format: "int64" }),
  contextLength: int32(0, 2_000_000_000),
});

const plan = z.object({
  revision: words(64).describe(
    "Hash of the frozen plan; the ControllerRevision of the deployment carries it.",
  ),
  runtime: words(32),
  image: words(512),
  nodes: int32(0, 1000),
  gpusPerNode: int32(0, 1000),
  tensorParallel: int32(0, 10_000),
  dataParallel: int32(0, 10_000),
  expertParallel: int32(0, 10_000),
  command: words(16_384).describe("Command line of one rank."),
  memory,
  provenance: words(1024),
  warnings: z.array(words(1024)).max(32),
});

export const groupStates = [
  "Pending",
  "Forming",
  "Pulling",
  "Starting",
  "Loading",
  "CapturingGraphs",
  "Ready",
  "BackingOff",
  "GivenUp",
  "Stopping",
] as const;

export const groupFailure = z.object({
  time: words(64).meta({ format: "date-time" }),
  pod: words(253),
  node: words(253).describe("Empty when the pod had none."),
  container: words(64).optional(),
  exitCode: int32(-2_000_000_000, 2_000_000_000).optional(),
  reason: words(256),
  message: words(2048).describe("What the pod said last, or that it vanished without a word."),
});
export type GroupFailure = z.output<typeof groupFailure>;

const group = z.object({
  id: int32(0, 2_000_000_000),
  revision: words(64),
  state: z
    .enum(groupStates)
    .describe(
      "Pending: ranks missing or without a node. Forming: ranks wait for each other. BackingOff: rebuilt later. GivenUp: not rebuilt any more.",
    ),
  readyRanks: int32(0, 1000),
  ranks: int32(0, 1000),
  nodes: z.array(words(253)).max(64).describe("Node of each rank, in order; empty where not scheduled."),
  message: words(1024).optional().describe("Why it isn't Ready yet, where a pod says so."),
  percentLoaded: int32(0, 100).optional().describe("Of the checkpoint, the rank that is furthest behind."),
  formation: int32(0, 2_000_000_000).optional().describe("How often its ranks have met."),
  containerRestarts: z
    .array(int32(0, 2_000_000_000))
    .max(64)
    .optional()
    .describe("Container restarts of each rank when the formation became Ready; more of them mean a loss."),
  restarts: int32(0, 1000).optional().describe("Rebuilds within the recovery window."),
  avoidedNodes: setOf(words(253), 64).optional().describe("Nodes blamed twice in the window."),
  lastFailure: groupFailure.optional(),
});
export type GroupStatus = z.output<typeof group>;

export const deploymentStatus = z.object({
  observedGeneration: z.int().min(0).meta({ format: "int64" }).optional(),
  replicas: int32(0, 1000).optional().describe("Serving groups that exist."),
  readyReplicas: int32(0, 1000).optional().describe("Serving groups whose ranks are all Ready."),
  updatedReplicas: int32(0, 1000).optional().describe("Serving groups on the current revision."),
  selector: words(1024).optional().describe("Selects rank 0 of every group; for the scale subresource."),
  nextGroupId: int32(0, 2_000_000_000)
    .optional()
    .describe("Id of the next group to be made; ids are never used again."),
  endpoint: words(512).optional().describe("URL of the OpenAI API inside the cluster."),
  lastGoodRevision: words(64).optional().describe("Newest revision that all groups were Ready on."),
  plan: plan.optional().describe("What the request was resolved to."),
  groups: listByKey(group, "id", 1000).optional().describe("Every serving group."),
  conditions: listByKey(condition, "type", 16).optional(),
});
export type DeploymentStatus = z.output<typeof deploymentStatus>;
