import type { DeploymentSpec } from "../crds/deployment.ts";
import type { FeatureMode, Profile } from "../crds/names.ts";
import type { HardwareFacts } from "./catalogue/hardware.ts";
import type { ModelFacts } from "./catalogue/models.ts";
import type { Recipe } from "./catalogue/recipes.ts";
import type { RuntimeImage } from "./catalogue/runtimes.ts";
import type { Findings } from "./errors.ts";

/** The switches of the published commands, decided. */
export interface Features {
  /** EAGLE steps; absent when speculative decoding is off. */
  readonly speculativeSteps?: number;
  readonly deepEP: boolean;
  /** Whether --ep-size is written. DeepEP spreads experts without it, too. */
  readonly writesExpertParallel: boolean;
  readonly expertParallel: number;
  readonly dataParallel: number;
  readonly reasoningParser?: string;
  readonly toolCallParser?: string;
}

export interface Choice {
  readonly spec: DeploymentSpec;
  readonly profile: Profile;
  readonly model: ModelFacts;
  readonly gpu: HardwareFacts;
  readonly recipe: Recipe;
  readonly image: RuntimeImage;
}

/** Below this much memory beside weights and KV cache, DeepEP's buffers may not find room. Not measured. */
const deepEPReserveGib = 16;

export function resolveFeatures(choice: Choice, findings: Findings): Features {
  const { spec, model, recipe } = choice;
  const speculativeSteps = resolveSpeculation(choice, findings);
  const deepEP = resolveDeepEP(choice, findings);
  const writesExpertParallel = resolveExpertParallel(choice, deepEP, findings);
  const parser = (mode: FeatureMode | undefined, name: string, field: string): string | undefined => {
    if (mode === "Enabled" && !model.chat) {
      findings.warnings.push(
        `spec.features.${field} is Enabled for ${spec.variant}, a base model: no chat template is established for it, so this only makes sense with a fine-tuned checkpoint`,
      );
    }
    return mode === "Enabled" || (mode !== "Disabled" && model.chat) ? name : undefined;
  };
  const reasoningParser = parser(spec.features?.reasoningParser, model.parsers.reasoning, "reasoningParser");
  const toolCallParser = parser(spec.features?.toolCallParser, model.parsers.toolCall, "toolCallParser");
  return {
    ...(speculativeSteps !== undefined && { speculativeSteps }),
    deepEP,
    writesExpertParallel,
    expertParallel: deepEP || writesExpertParallel ? recipe.tensorParallel : 1,
    dataParallel: resolveDataParallel(choice, findings),
    ...(reasoningParser !== undefined && { reasoningParser }),
    ...(toolCallParser !== undefined && { toolCallParser }),
  };
}

function resolveSpeculation({ spec, model, recipe, image }: Choice, findings: Findings): number | undefined {
  const mode = spec.features?.speculativeDecoding ?? "Auto";
  const { steps, onByDefault } = recipe.speculative;
  const byDefault = image.runtime === "day0" ? onByDefault.day0 : onByDefault.release;
  if (mode === "Disabled" || (mode === "Auto" && !byDefault)) return undefined;
  if (mode === "Enabled" && !model.chat) {
    findings.warnings.push(
      `spec.features.speculativeDecoding is Enabled for ${spec.variant}: whether its files hold the MTP layers is not established; if the server stops on missing weights, set it to Disabled`,
    );
  } else if (mode === "Enabled" && !byDefault) {
    findings.warnings.push(
      `spec.features.speculativeDecoding: the launch page of ${spec.variant} has no EAGLE on runtime day0; later pages have it. Take runtime v0.5.18 if the server rejects it`,
    );
  }
  if (image.dialect.draftReadsCheckpoint && spec.variant === "MiMo-V2.5-Pro") {
    findings.warnings.push(
      "MiMo-V2.5-Pro with EAGLE can hang while it loads on runtime day0 (sgl-project/sglang pull request 25748); runtime v0.5.18 has the fix, or set spec.features.speculativeDecoding: Disabled",
    );
  }
  return steps;
}

function resolveDeepEP({ spec, profile, recipe, image, gpu }: Choice, findings: Findings): boolean {
  const mode = spec.features?.deepEP ?? "Auto";
  if (recipe.deepEP === undefined) {
    if (mode === "Enabled") {
      findings.warnings.push(
        `spec.features.deepEP is left out on ${spec.hardware}: experts run on ${recipe.moeRunnerBackend} there, DeepEP is for Hopper`,
      );
    }
    return false;
  }
  const on = mode === "Enabled" || (mode === "Auto" && profile === "Throughput");
  if (on && image.deepEP === "unproven") {
    findings.warnings.push(
      `DeepEP: whether ${image.repository}:${image.tag} contains deep_ep is not established; if the server stops on its import, set spec.features.deepEP: Disabled or take runtime v0.5.18`,
    );
  }
  const reserveGib = gpu.freeGpuMemoryGib * (1 - recipe.memFractionStatic);
  if (on && reserveGib < deepEPReserveGib) {
    findings.warnings.push(
      `DeepEP's dispatch buffers come out of the ${Math.round(reserveGib)} GiB that ${spec.variant} leaves on each ${spec.hardware}: if the server runs out of memory at start, set spec.features.deepEP: Disabled`,
    );
  }
  return on;
}

/** --ep as the generators write it: for MiMo-V2.5-Pro on Hopper, by its own switch or with DeepEP. */
function resolveExpertParallel(
  { spec, recipe, image }: Choice,
  deepEP: boolean,
  findings: Findings,
): boolean {
  const mode = spec.features?.expertParallelism ?? "Auto";
  if (!recipe.expertParallelism) {
    if (mode === "Enabled") {
      findings.warnings.push(
        `spec.features.expertParallelism is left out: published commands spread experts by --ep for MiMo-V2.5-Pro on Hopper only${recipe.deepEP === undefined ? "" : "; spec.features.deepEP: Enabled spreads them here"}`,
      );
    }
    return false;
  }
  if (mode === "Disabled" && deepEP) {
    findings.warnings.push(
      "spec.features.expertParallelism is Disabled, but DeepEP makes the server spread experts over all ranks",
    );
    // The launch page writes --ep with DeepEP, the newest generator does not; the server does the same with both.
    return image.runtime === "day0";
  }
  return mode === "Enabled" || deepEP;
}

function resolveDataParallel({ spec, model, recipe, image }: Choice, findings: Findings): number {
  const mode = spec.features?.dataParallelAttention ?? "Auto";
  const { tensorParallel } = recipe;
  const wanted =
    mode === "Auto" ? recipe.dataParallel : mode === "Disabled" ? 1 : Math.max(2, recipe.dataParallel);
  const ranks = tensorParallel / wanted;
  const refusal = attentionRanksRefusal(model.fusedQkvRanks, ranks, image);
  if (refusal === undefined) {
    if (wanted > recipe.dataParallel) {
      findings.derivations.push(
        `attention on ${wanted} data parallel ranks, which no published command does`,
      );
      findings.warnings.push(
        `spec.features.dataParallelAttention: no published command splits attention of ${spec.variant} on ${spec.hardware}; each rank then keeps more weights and more KV cache per token`,
      );
    }
    return wanted;
  }
  findings.refusals.push({
    code: "AttentionLayout",
    field: "spec.features.dataParallelAttention",
    message: `${spec.variant} stores its attention fused for ${model.fusedQkvRanks} ranks; dataParallelAttention: ${mode} on ${spec.hardware} (tp ${tensorParallel}) gives ${ranks} ranks, which the loader of runtime ${image.runtime} rejects. ${remedy(mode, recipe, model, ranks, image)}`,
  });
  return wanted;
}

/** Why a fused qkv_proj can't be split over this many ranks, if it can't. */
export function attentionRanksRefusal(
  fusedQkvRanks: number | undefined,
  ranks: number,
  { dialect }: Pick<RuntimeImage, "dialect">,
): "equal" | "divides" | undefined {
  if (fusedQkvRanks === undefined) return undefined;
  if (dialect.fusedQkv === "equal") return ranks === fusedQkvRanks ? undefined : "equal";
  return fusedQkvRanks % ranks === 0 ? undefined : "divides";
}

function remedy(
  mode: FeatureMode,
  recipe: Recipe,
  model: ModelFacts,
  ranks: number,
  image: RuntimeImage,
): string {
  const auto = `Write dataParallelAttention: Auto or leave it out (dp ${recipe.dataParallel})`;
  const later = model.fusedQkvRanks !== undefined && model.fusedQkvRanks % ranks === 0;
  return mode === "Enabled" && later && image.dialect.fusedQkv === "equal"
    ? `${auto}, or take runtime v0.5.18, whose loader splits it further`
    : auto;
}
