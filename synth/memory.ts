import type { HardwareFacts } from "./catalogue/hardware.ts";
import type { ModelFacts } from "./catalogue/models.ts";
import type { Recipe } from "./catalogue/recipes.ts";
import type { RuntimeImage } from "./catalogue/runtimes.ts";

/** How the group splits the model, as far as memory depends on it. */
export interface MemoryLayout {
  readonly tensorParallel: number;
  readonly dataParallel: number;
  /** lm_head split over attention ranks instead of all ranks. */
  readonly dataParallelLmHead: boolean;
  readonly memFractionStatic: number;
  /** Draft layers that share the KV pool. */
  readonly draftLayers: number;
}

export interface MemoryEstimate {
  readonly weightsGibPerGpu: number;
  /** What the memory fraction leaves after the weights; negative when they don't fit in it. */
  readonly kvGibPerGpu: number;
}

/** The server's default for --swa-full-tokens-ratio. */
export const defaultSlidingRatio = 0.8;
/** The smallest ratio that a publisher runs with (MiMo-V2.5-Pro on B200). */
export const leastSlidingRatio = 0.1;
/**
 * Share of GPU memory by which the estimate may be wrong before a request is refused. Free memory is taken 0.5 to 1% below
 * the label, weights come within 1% of the tensors' sizes, and nothing was measured on GPUs.
 */
export const memoryMargin = 0.02;

const gib = 2 ** 30;
const bytesPerKvElement = 2;

/** What memory depends on, of a recipe with its switches decided. */
export function memoryLayout(
  model: Pick<ModelFacts, "multimodal">,
  recipe: Recipe,
  { dialect }: Pick<RuntimeImage, "dialect">,
  features: { readonly dataParallel: number; readonly speculativeSteps?: number },
): MemoryLayout {
  return {
    tensorParallel: recipe.tensorParallel,
    dataParallel: features.dataParallel,
    dataParallelLmHead: features.dataParallel > 1 && model.multimodal,
    memFractionStatic: recipe.memFractionStatic,
    draftLayers: features.speculativeSteps === undefined ? 0 : dialect.budgetedDraftLayers,
  };
}

/** GiB of weights on each GPU. The router and the encoders are on every rank; attention and embeddings split over attention ranks only. */
export function weightsGibPerGpu(
  { checkpointGib, weights }: ModelFacts,
  { tensorParallel, dataParallel, dataParallelLmHead }: MemoryLayout,
): number {
  const attentionRanks = tensorParallel / dataParallel;
  const { attentionGib, embeddingGib, mtpGib, routerGib, encodersGib } = weights;
  const elsewhere = attentionGib + 2 * embeddingGib + mtpGib + routerGib + encodersGib;
  const lmHeadRanks = dataParallelLmHead ? attentionRanks : tensorParallel;
  return (
    (checkpointGib - elsewhere) / tensorParallel +
    (attentionGib + embeddingGib + mtpGib) / attentionRanks +
    embeddingGib / lmHeadRanks +
    routerGib +
    encodersGib
  );
}

/** Bytes of KV cache (BF16) on one GPU for each token of context, sliding window layers counted at `ratio`. */
export function kvBytesPerToken(
  model: ModelFacts,
  { tensorParallel, dataParallel, draftLayers }: MemoryLayout,
  ratio: number,
): number {
  const attentionRanks = tensorParallel / dataParallel;
  const perHead = (model.keyHeadDim + model.valueHeadDim) * bytesPerKvElement;
  const heads = (stored: number) => Math.max(1, stored / attentionRanks);
  const full = heads(model.fullKvHeads) * (model.fullAttentionLayers + draftLayers);
  const sliding = heads(model.slidingKvHeads) * model.slidingWindowLayers;
  return perHead * (full + ratio * sliding);
}

export function estimateMemory(model: ModelFacts, gpu: HardwareFacts, layout: MemoryLayout): MemoryEstimate {
  const weights = weightsGibPerGpu(model, layout);
  return {
    weightsGibPerGpu: weights,
    kvGibPerGpu: gpu.freeGpuMemoryGib * layout.memFractionStatic - weights,
  };
}

/** Tokens that one data parallel rank can hold in `kvGib` of each of its GPUs. */
export function tokensThatFit(model: ModelFacts, layout: MemoryLayout, ratio: number, kvGib: number): number {
  return Math.max(0, Math.floor((kvGib * gib) / kvBytesPerToken(model, layout, ratio)));
}

/** Tokens of one data parallel rank at the smallest ratio, with the estimate's margin or without. */
export function tokensAtLeastRatio(
  model: ModelFacts,
  gpu: HardwareFacts,
  layout: MemoryLayout,
  withMargin: boolean,
): number {
  const { kvGibPerGpu } = estimateMemory(model, gpu, layout);
  const marginGib = withMargin ? memoryMargin * gpu.freeGpuMemoryGib : 0;
  return tokensThatFit(model, layout, leastSlidingRatio, kvGibPerGpu + marginGib);
}

/** Rounds a context down to what people write: multiples of 64Ki from 128Ki on, else of 8Ki. */
export function roundContext(tokens: number): number {
  const step = tokens >= 131_072 ? 65_536 : 8192;
  return Math.floor(tokens / step) * step;
}
