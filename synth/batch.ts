import type { Profile } from "../crds/names.ts";
import type { Recipe } from "./catalogue/recipes.ts";
import type { Findings } from "./errors.ts";
import type { Features } from "./features.ts";

/** How many requests run at once, and what follows from it. */
export interface Batch {
  /** Of the whole group; absent: the server's default. */
  readonly maxRunningRequests?: number;
  readonly cudaGraphMaxBatchSize?: number;
  /** SGLANG_DEEPEP_NUM_MAX_DISPATCH_TOKENS_PER_RANK. */
  readonly deepEPDispatchTokens: number;
}

/** Twice what the recipes of MiMo-V2-Flash and MiMo-V2.5-Pro run. */
const throughputRequests = 256;
/** A batch grows only while each of its requests could keep this many tokens in the KV cache. */
const tokensPerRequest = 8192;
/** The published dispatch buffer, and the largest that the server takes, in tokens. Generous: attention ranks share a step's. */
const dispatchTokens = 256;
const mostDispatchTokens = 1024;

/** Tokens that one data parallel rank decodes in a step: each request's drafts and the token itself. */
const stepTokens = (requests: number, { dataParallel, speculativeSteps }: Features): number =>
  (requests / dataParallel) * (speculativeSteps === undefined ? 1 : speculativeSteps + 1);

/** The recipe's batch, or for Throughput a larger one where the KV cache has room for it. */
export function resolveBatch(
  profile: Profile,
  recipe: Recipe,
  features: Features,
  tokensPerDataParallelRank: number,
  findings: Findings,
): Batch {
  const room = tokensPerDataParallelRank / tokensPerRequest >= throughputRequests / features.dataParallel;
  const larger =
    profile === "Throughput" && room && stepTokens(throughputRequests, features) <= mostDispatchTokens;
  const maxRunningRequests = larger ? throughputRequests : recipe.maxRunningRequests;
  if (larger) {
    const before = recipe.maxRunningRequests ?? "the server's default";
    findings.derivations.push(
      `--max-running-requests: ${throughputRequests} for profile Throughput (recipe: ${before})`,
    );
  }
  const graphs = recipe.cudaGraphMaxBatchSize;
  return {
    ...(maxRunningRequests !== undefined && { maxRunningRequests }),
    ...(graphs !== undefined && {
      cudaGraphMaxBatchSize: larger ? throughputRequests / features.dataParallel : graphs,
    }),
    deepEPDispatchTokens:
      maxRunningRequests === undefined
        ? dispatchTokens
        : Math.max(dispatchTokens, stepTokens(maxRunningRequests, features)),
  };
}
