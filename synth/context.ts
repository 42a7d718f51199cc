import type { DeploymentSpec } from "../crds/deployment.ts";
import { hardwareThatHolds } from "./capacity.ts";
import type { HardwareFacts } from "./catalogue/hardware.ts";
import type { ModelFacts } from "./catalogue/models.ts";
import type { Recipe } from "./catalogue/recipes.ts";
import type { Findings } from "./errors.ts";
import {
  defaultSlidingRatio,
  estimateMemory,
  leastSlidingRatio,
  type MemoryLayout,
  memoryMargin,
  roundContext,
  tokensThatFit,
} from "./memory.ts";
import type { MemoryPlan } from "./serving-plan.ts";

/** Context and KV cache, settled together. */
export interface Context {
  readonly contextLength: number;
  /** Absent: the server's default. */
  readonly swaFullTokensRatio?: number;
  readonly memory: MemoryPlan;
}

/**
 * Settles the context. Absent: the checkpoint's maximum, or the largest that fits the recipe. Asked for and too long: a
 * smaller sliding window ratio where that makes it fit, a warning within the margin of the estimate, else a refusal.
 */
export function resolveContext(
  spec: DeploymentSpec,
  model: ModelFacts,
  gpu: HardwareFacts,
  recipe: Recipe,
  layout: MemoryLayout,
  findings: Findings,
): Context {
  const { weightsGibPerGpu, kvGibPerGpu } = estimateMemory(model, gpu, layout);
  const marginGib = memoryMargin * gpu.freeGpuMemoryGib;
  const recipeRatio = recipe.swaFullTokensRatio ?? defaultSlidingRatio;
  const tokensAt = (ratio: number, extraGib = 0) =>
    tokensThatFit(model, layout, ratio, kvGibPerGpu + extraGib);
  const settle = (contextLength: number, ratio: number): Context => ({
    contextLength,
    ...((ratio !== recipeRatio || recipe.swaFullTokensRatio !== undefined) && { swaFullTokensRatio: ratio }),
    memory: {
      weightsGibPerGpu: tenths(weightsGibPerGpu),
      kvGibPerGpu: tenths(Math.max(0, kvGibPerGpu)),
      tokensPerDataParallelRank: tokensAt(ratio),
      fits: tokensAt(ratio) >= contextLength,
    },
  });
  const derive = (ratio: number) =>
    findings.derivations.push(
      `sliding window ratio ${ratio} instead of ${recipeRatio}, for the context asked for`,
    );

  const asked = spec.contextLength;
  if (asked === undefined)
    return settle(fullestContext(spec, model, recipeRatio, tokensAt, findings), recipeRatio);

  if (asked > model.maxContextLength) {
    findings.refusals.push({
      code: "ContextBeyondCheckpoint",
      field: "spec.contextLength",
      message: contextBeyondCheckpoint(spec.variant, model.maxContextLength, asked),
    });
    return settle(model.maxContextLength, recipeRatio);
  }
  if (asked <= tokensAt(recipeRatio)) return settle(asked, recipeRatio);

  const ratio = ratiosBelow(recipeRatio).find((candidate) => asked <= tokensAt(candidate));
  if (ratio !== undefined) {
    derive(ratio);
    findings.warnings.push(
      `spec.contextLength ${asked} fits only with --swa-full-tokens-ratio ${ratio} instead of ${recipeRatio}: fewer prefixes stay cached`,
    );
    return settle(asked, ratio);
  }
  derive(leastSlidingRatio);
  if (asked <= tokensAt(leastSlidingRatio, marginGib)) {
    findings.warnings.push(
      `spec.contextLength ${asked} is more than the ${tokensAt(leastSlidingRatio)} tokens estimated for one data parallel rank, by less than the estimate's margin of ${tenths(marginGib)} GiB per GPU: it may not fit`,
    );
    return settle(asked, leastSlidingRatio);
  }
  const most = tokensAt(leastSlidingRatio, marginGib);
  const excess = `a request of ${asked} tokens needs more KV cache than one data parallel rank of ${spec.variant} on ${spec.hardware} has: about ${tokensAt(leastSlidingRatio)} tokens at the smallest sliding window ratio (${leastSlidingRatio}), ${most} with the estimate's margin`;
  if (spec.memoryCheck === "Warn") {
    findings.warnings.push(`${excess}; planned all the same because memoryCheck is Warn`);
  } else {
    findings.refusals.push({
      code: "ContextDoesNotFit",
      field: "spec.contextLength",
      message: `${excess}. Write contextLength: ${roundContext(most)}, ${roomierHardware(spec, asked)}or set memoryCheck: Warn`,
    });
  }
  return settle(asked, leastSlidingRatio);
}

export const contextBeyondCheckpoint = (variant: string, most: number, asked?: number): string =>
  `${variant} was trained for ${most} tokens${asked === undefined ? "" : `, not ${asked}`}: write contextLength: ${most} or less`;

function fullestContext(
  spec: DeploymentSpec,
  model: ModelFacts,
  ratio: number,
  tokensAt: (ratio: number) => number,
  findings: Findings,
): number {
  const tokens = tokensAt(ratio);
  if (tokens >= model.maxContextLength) return model.maxContextLength;
  const context = roundContext(tokens);
  if (context > 0) {
    const more = roundContext(Math.min(tokensAt(leastSlidingRatio), model.maxContextLength));
    findings.warnings.push(
      `contextLength is ${context}, the largest that fits ${spec.hardware}, where the checkpoint has ${model.maxContextLength}${more > context ? `; written out, contextLength up to ${more} fits at a smaller sliding window ratio` : ""}`,
    );
    return context;
  }
  const problem = `the weights of ${spec.variant} leave no room for a KV cache on ${spec.hardware}`;
  if (spec.memoryCheck === "Warn") {
    findings.warnings.push(`${problem}; planned all the same because memoryCheck is Warn`);
  } else {
    findings.refusals.push({
      code: "ContextDoesNotFit",
      field: "spec.hardware",
      message: `${problem}: ${roomierHardware(spec, 1)}or set memoryCheck: Warn`,
    });
  }
  return model.maxContextLength;
}

/** Tenths below a ratio, largest first, down to the smallest that a publisher runs with. */
function ratiosBelow(ratio: number): readonly number[] {
  const ratios: number[] = [];
  for (let step = Math.ceil(ratio * 10) - 1; step / 10 >= leastSlidingRatio; step -= 1)
    ratios.push(step / 10);
  return ratios;
}

function roomierHardware({ variant, hardware }: DeploymentSpec, tokens: number): string {
  const kinds = hardwareThatHolds(variant, tokens).filter((kind) => kind !== hardware);
  return kinds.length === 0 ? "" : `take hardware: ${kinds.join(" or ")}, `;
}

const tenths = (value: number): number => Math.round(value * 10) / 10;
