import { z } from "zod";
import { int32, listByKey, setOf, words } from "./schema.ts";

const condition = z.object({
  type: words(64).describe(
    "Ready, Available, Reconciling, Stalled, Accepted, MemoryFit, PlacementReady or UpdateAvailable.",
  ),
  status: z.enum(["True", "False", "Unknown"]).describe("Unknown while nothing can be said yet."),
  reason: words(128).describe("One word for programs; docs/troubleshooting.md has them all."),
  message: words(4096).describe("What is so and what to do, in a sentence."),
  observedGeneration: z
    .int()
    .min(0)
    .meta({ format: "int64" })
    .optional()
    .describe("Generation of the spec that this was said of."),
  lastTransitionTime: words(64).meta({ format: "date-time" }).describe("When the status last changed."),
});
export type Condition = z.output<typeof condition>;

/**
 * What the API server says of a deployment until the operator does. Tools that wait (kstatus, and Flux by it) take an object
 * without conditions for finished.
 */
export const unseen = {
  type: "Ready",
  status: "Unknown",
  reason: "Unseen",
  message: "the operator has not looked at it yet; if that stays so, look at the operator's log",
  lastTransitionTime: "1970-01-01T00:00:00Z",
} as const satisfies Condition;

const memory = z.object({
  weightsGibPerGpu: words(16).describe("Weights on each GPU, in GiB. Estimated."),
  kvGibPerGpu: words(16).describe("KV cache on each GPU, in GiB. Estimated."),
  tokensPerDataParallelRank: z
    .int()
    .min(0)
    .meta({ format: "int64" })
    .describe("Tokens that the KV cache of one data parallel rank holds. Estimated."),
  contextLength: int32(0, 2_000_000_000).describe("Longest request, in tokens."),
});

const plan = z.object({
  revision: words(64).describe(
    "Hash of the frozen plan; the ControllerRevision of the deployment carries it.",
  ),
  runtime: words(32).describe("day0 or a release of SGLang."),
  image: words(512).describe("Image of every rank."),
  nodes: int32(0, 1000).describe("Nodes of one serving group."),
  gpusPerNode: int32(0, 1000).describe("GPUs that each rank takes."),
  tensorParallel: int32(0, 10_000).describe("--tp-size."),
  dataParallel: int32(0, 10_000).describe("--dp-size; 1 without DP attention."),
  expertParallel: int32(0, 10_000).describe("--ep-size."),
  startupSeconds: int32(0, 2_000_000_000)
    .optional()
    .describe("What a start may take before the container is restarted. Not measured."),
  command: words(16_384).describe("Command line of one rank."),
  memory: memory.describe("What the GPUs hold; estimated, not measured on GPUs."),
  provenance: words(1024).describe("Who says that this recipe works, and what differs from it."),
  warnings: z.array(words(1024)).max(32).describe("What to decide before it matters."),
});

export const groupStates = [
  "Pending",
  "Queued",
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
  time: words(64).meta({ format: "date-time" }).describe("When it was seen."),
  pod: words(253).describe("Pod of the rank that was lost."),
  node: words(253).describe("Empty when the pod had none."),
  container: words(64).optional().describe("Container that ended."),
  exitCode: int32(-2_000_000_000, 2_000_000_000).optional().describe("137: killed, often for memory."),
  reason: words(256).describe("As Kubernetes names it, such as OOMKilled or Evicted."),
  message: words(2048).describe("What the pod said last, or that it vanished without a word."),
});
export type GroupFailure = z.output<typeof groupFailure>;

const group = z.object({
  id: int32(0, 2_000_000_000).describe("Never used again once the group is gone."),
  revision: words(64).describe("Revision that its template is of."),
  state: z
    .enum(groupStates)
    .describe(
      "Pending: ranks missing or without a node. Queued: its queue holds it. Forming: ranks wait for each other. Starting: all run. Loading, CapturingGraphs: by their logs, where those may be read. BackingOff: rebuilt later. GivenUp: not rebuilt any more.",
    ),
  readyRanks: int32(0, 1000).describe("Ranks that are Ready."),
  ranks: int32(0, 1000).describe("Ranks that it has: one on each node."),
  nodes: z.array(words(253)).max(64).describe("Node of each rank, in order; empty where not scheduled."),
  message: words(1024).optional().describe("Why it isn't Ready yet, where a pod says so."),
  percentLoaded: int32(0, 100)
    .optional()
    .describe("Of the checkpoint while it loads, by the rank that is furthest behind; in steps of 5."),
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
  observedGeneration: z
    .int()
    .min(0)
    .meta({ format: "int64" })
    .optional()
    .describe("Generation of the spec that this status is of."),
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
  conditions: listByKey(condition, "type", 16).optional().describe("What is so, by type."),
});
export type DeploymentStatus = z.output<typeof deploymentStatus>;
