import type { Batch } from "./batch.ts";
import type { HardwareFacts } from "./catalogue/hardware.ts";
import type { ModelFacts } from "./catalogue/models.ts";
import type { Recipe } from "./catalogue/recipes.ts";
import type { RuntimeImage } from "./catalogue/runtimes.ts";
import type { Features } from "./features.ts";
import type { ModelSource } from "./model-source.ts";
import { coldCompileSeconds } from "./startup.ts";

/** Everything that the command line of a rank is written from. */
export interface Launch {
  readonly model: ModelFacts;
  readonly gpu: HardwareFacts;
  readonly recipe: Recipe;
  readonly image: RuntimeImage;
  readonly features: Features;
  readonly batch: Batch;
  readonly source: ModelSource;
  readonly contextLength: number;
  /** Absent: the server's default. */
  readonly swaFullTokensRatio?: number;
  readonly servedModelName: string;
  readonly port: number;
  readonly apiKey: boolean;
  readonly startupSeconds: number;
  /** NVLink between the nodes of a group. */
  readonly nvlink: boolean;
}

/**
 * Of one forward pass, and of what blocks torch's NCCL thread meanwhile: twice what compiling all kernels may take. Weights
 * are loaded before the watchdog is there (SGLang 0.5.7 to 0.5.23, Scheduler.__init__). The model card of MiMo-V2.5-Pro has
 * 3600. A server that hangs is noticed by its probes long before.
 */
const forwardPassSeconds = 2 * coldCompileSeconds;

/** argv of one rank: whole option names only, since an abbreviation may turn ambiguous in the next version. */
export function launchArguments(launch: Launch): readonly string[] {
  const { recipe, image, features, batch, source } = launch;
  return [
    "sglang",
    "serve",
    "--trust-remote-code",
    ...["--model-path", source.modelPath],
    ...source.downloadArgs,
    ...["--served-model-name", launch.servedModelName],
    ...["--context-length", String(launch.contextLength)],
    ...parallelArguments(launch),
    ...["--mem-fraction-static", String(recipe.memFractionStatic)],
    ...option("--max-running-requests", batch.maxRunningRequests),
    ...["--chunked-prefill-size", String(recipe.chunkedPrefillSize)],
    ...option(image.dialect.cudaGraphMaxBatchSize, batch.cudaGraphMaxBatchSize),
    ...option("--page-size", recipe.pageSize),
    ...option("--swa-full-tokens-ratio", launch.swaFullTokensRatio),
    ...option("--attention-backend", recipe.attentionBackend),
    ...option("--mm-attention-backend", recipe.multimodalAttentionBackend),
    ...option("--moe-runner-backend", recipe.moeRunnerBackend),
    ...(features.deepEP ? (recipe.deepEP ?? []) : []),
    ...loaderArguments(launch),
    ...speculativeArguments(launch),
    ...option("--reasoning-parser", features.reasoningParser),
    ...option("--tool-call-parser", features.toolCallParser),
    // Ranks wait for each other at the rendezvous (whose store has the same timeout) and in the first collectives, for the
    // slowest to pull, load and compile. When a start takes too long is for the startup probe to say, so not sooner than it.
    ...["--dist-timeout", String(launch.startupSeconds)],
    ...["--watchdog-timeout", String(forwardPassSeconds)],
    "--enable-metrics",
    ...["--host", "0.0.0.0", "--port", String(launch.port)],
    // From the environment: the kubelet expands it, the plan never holds the key.
    ...(launch.apiKey ? ["--api-key", "$(SGLANG_API_KEY)"] : []),
  ];
}

const option = (name: string, value: string | number | undefined): readonly string[] =>
  value === undefined ? [] : [name, String(value)];

function parallelArguments({ model, recipe, image, features }: Launch): readonly string[] {
  const { dataParallel } = features;
  const attention =
    image.dialect.dataParallelAttention === "attn-dp-size"
      ? ["--attn-dp-size", String(dataParallel)]
      : ["--dp-size", String(dataParallel), "--enable-dp-attention"];
  return [
    ...["--tp-size", String(recipe.tensorParallel)],
    ...(dataParallel > 1 ? attention : []),
    // The encoders and lm_head are then split the way attention is.
    ...(dataParallel > 1 && model.multimodal ? ["--enable-dp-lm-head", "--mm-enable-dp-encoder"] : []),
    ...(features.writesExpertParallel ? ["--ep-size", String(features.expertParallel)] : []),
    ...(recipe.nodes > 1
      ? [
          ...["--nnodes", String(recipe.nodes), "--node-rank", "$(NODE_RANK)"],
          ...["--dist-init-addr", "$(RANK0_HOST):$(DIST_PORT)"],
        ]
      : []),
  ];
}

/**
 * On a network file system many threads of every rank can deadlock and read the same bytes many times: one thread, and where
 * the version can, each rank prefetches its share into the page cache first. A local disk keeps the recipe's threads.
 */
function loaderArguments({ recipe, image, source }: Launch): readonly string[] {
  const config = (value: object) => ["--model-loader-extra-config", JSON.stringify(value)];
  if (source.sharedFileSystem) {
    switch (image.dialect.prefetch) {
      case "yes":
        return ["--weight-loader-prefetch-checkpoints"];
      case "unproven":
        return config({ enable_multithread_load: false });
      case "no":
        return [];
    }
  }
  return recipe.loaderThreads === undefined
    ? []
    : config({ enable_multithread_load: true, num_threads: recipe.loaderThreads });
}

function speculativeArguments({
  image,
  gpu,
  features: { speculativeSteps: steps },
}: Launch): readonly string[] {
  if (steps === undefined) return [];
  const multiLayer = gpu.generation === "Hopper" || image.dialect.multiLayerEagleOnBlackwell;
  return [
    ...["--speculative-algorithm", "EAGLE", "--speculative-num-steps", String(steps)],
    ...["--speculative-eagle-topk", "1", "--speculative-num-draft-tokens", String(steps + 1)],
    ...(multiLayer ? ["--enable-multi-layer-eagle"] : []),
  ];
}

/** Environment of the server, less what comes from Secrets, the pod's own metadata and the caches. */
export function launchEnv(launch: Launch): Readonly<Record<string, string>> {
  const { gpu, recipe, image, features, batch, source } = launch;
  const multiNode = recipe.nodes > 1;
  const specV2 =
    image.dialect.specV2 === "always" ||
    (image.dialect.specV2 === "with-eagle" && features.speculativeSteps !== undefined);
  return {
    ...source.env,
    TORCH_NCCL_HEARTBEAT_TIMEOUT_SEC: String(forwardPassSeconds),
    ...(specV2 && { SGLANG_ENABLE_SPEC_V2: "1" }),
    ...(features.deepEP && {
      SGLANG_DEEPEP_NUM_MAX_DISPATCH_TOKENS_PER_RANK: String(batch.deepEPDispatchTokens),
    }),
    // NVLink between nodes of a rack: forced, so that a missing IMEX channel fails at once instead of falling back.
    ...(launch.nvlink && { NCCL_MNNVL_ENABLE: "1", NCCL_CUMEM_ENABLE: "1" }),
    // Left out, NCCL and newer versions of SGLang would find the fabric by themselves, and no IMEX channel.
    ...(multiNode && gpu.multiNodeNvlink && !launch.nvlink && { NCCL_MNNVL_ENABLE: "0" }),
  };
}
