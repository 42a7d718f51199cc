import type { RuntimeImage } from "./catalogue/runtimes.ts";
import type { Features } from "./features.ts";
import type { ModelSource } from "./model-source.ts";
import type { CachePlan, ResourcePlan } from "./serving-plan.ts";

/** Draft runners of multi-layer EAGLE, one per MTP layer. */
const draftRunners = 3;
/** Compiling kernels and capturing graphs, with and without caches from an earlier start. */
export const coldCompileSeconds = 2400;
const warmCompileSeconds = 1200;
/** A budget is what must never be overrun by a healthy start, so twice the estimate. */
const safety = 2;

/**
 * Seconds that a rank may take from its start to its first healthy answer. Not measured: bytes by the store's assumed rate,
 * every pass over the checkpoint counted, a download first.
 */
export function startupBudgetSeconds(
  source: ModelSource,
  cache: CachePlan,
  resources: ResourcePlan,
  features: Features,
  image: RuntimeImage,
): number {
  const { checkpointGib } = source.plan;
  const drafts =
    image.dialect.draftReadsCheckpoint && features.speculativeSteps !== undefined ? draftRunners : 0;
  // What doesn't stay in the page cache is read again by the ranks that come later.
  const cached = resources.memoryGib - resources.sharedMemoryGib >= checkpointGib;
  const passes = (1 + drafts) * (cached ? 1 : 2);
  const downloading =
    source.downloadGibPerSecond === undefined ? 0 : checkpointGib / source.downloadGibPerSecond;
  const loading = (checkpointGib * passes) / source.readGibPerSecond;
  const compiling = cache.source === "EmptyDir" ? coldCompileSeconds : warmCompileSeconds;
  return Math.ceil((safety * (downloading + loading) + compiling) / 60) * 60;
}
