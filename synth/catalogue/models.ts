import type { Variant } from "../../crds/names.ts";
import { sources } from "./sources.ts";

/**
 * What a checkpoint is, from its config.json and tensor tables.
 * Sizes are GiB as stored: FP8 (block 128x128), except o_proj, embeddings, lm_head and router (BF16, router FP32).
 */
export interface ModelFacts {
  readonly repository: string;
  readonly architecture: "MiMoV2FlashForCausalLM" | "MiMoV2ForCausalLM";
  /** max_position_embeddings. */
  readonly maxContextLength: number;
  readonly fullAttentionLayers: number;
  readonly slidingWindowLayers: number;
  readonly slidingWindowTokens: number;
  readonly fullKvHeads: number;
  readonly slidingKvHeads: number;
  readonly keyHeadDim: number;
  readonly valueHeadDim: number;
  /** Ranks that the stored qkv_proj is interleaved for; absent when q, k and v are stored apart. */
  readonly fusedQkvRanks?: number;
  readonly experts: number;
  readonly expertWidth: number;
  readonly mtpLayers: number;
  readonly checkpointGib: number;
  readonly weights: {
    readonly attentionGib: number;
    /** The input embedding; lm_head is as large again. */
    readonly embeddingGib: number;
    readonly mtpGib: number;
    readonly routerGib: number;
    /** Vision and audio encoders. */
    readonly encodersGib: number;
  };
  readonly multimodal: boolean;
  readonly parsers: { readonly reasoning: string; readonly toolCall: string };
  /** Post-trained for chat. False for a base model, whose parsers and MTP layers nothing published vouches for. */
  readonly chat: boolean;
  readonly source: string;
  readonly notEstablished: readonly string[];
}

const common = {
  slidingWindowTokens: 128,
  keyHeadDim: 192,
  valueHeadDim: 128,
  expertWidth: 2048,
  mtpLayers: 3,
};

const layers48 = {
  ...common,
  fullAttentionLayers: 9,
  slidingWindowLayers: 39,
  fullKvHeads: 4,
  slidingKvHeads: 8,
  experts: 256,
};

const flash = {
  ...layers48,
  architecture: "MiMoV2FlashForCausalLM",
  maxContextLength: 262_144,
  checkpointGib: 291.5,
  weights: { attentionGib: 5.67, embeddingGib: 1.16, mtpGib: 1.1, routerGib: 0.18, encodersGib: 0 },
  multimodal: false,
  parsers: { reasoning: "qwen3", toolCall: "mimo" },
} as const;

export const models: Readonly<Record<Variant, ModelFacts>> = {
  "MiMo-V2-Flash": {
    ...flash,
    repository: "XiaomiMiMo/MiMo-V2-Flash",
    chat: true,
    source: sources.checkpoint("XiaomiMiMo/MiMo-V2-Flash"),
    notEstablished: ["Size on disk: derived from MiMo-V2.5's tensors without its encoders."],
  },
  "MiMo-V2-Flash-Base": {
    ...flash,
    repository: "XiaomiMiMo/MiMo-V2-Flash-Base",
    chat: false,
    source: sources.checkpoint("XiaomiMiMo/MiMo-V2-Flash-Base"),
    notEstablished: [
      "Size on disk: taken to be that of MiMo-V2-Flash, whose architecture it shares.",
      "Whether its files hold the MTP layers.",
      "Whether its tokenizer carries a chat template.",
    ],
  },
  "MiMo-V2.5": {
    ...layers48,
    repository: "XiaomiMiMo/MiMo-V2.5",
    architecture: "MiMoV2ForCausalLM",
    maxContextLength: 1_048_576,
    fusedQkvRanks: 4,
    checkpointGib: 293.4,
    weights: { attentionGib: 5.67, embeddingGib: 1.16, mtpGib: 1.1, routerGib: 0.18, encodersGib: 1.86 },
    multimodal: true,
    parsers: { reasoning: "mimo", toolCall: "mimo" },
    chat: true,
    source: sources.checkpoint("XiaomiMiMo/MiMo-V2.5"),
    notEstablished: [],
  },
  "MiMo-V2.5-Pro": {
    ...common,
    repository: "XiaomiMiMo/MiMo-V2.5-Pro",
    architecture: "MiMoV2ForCausalLM",
    maxContextLength: 1_048_576,
    fullAttentionLayers: 10,
    slidingWindowLayers: 60,
    fullKvHeads: 8,
    slidingKvHeads: 8,
    fusedQkvRanks: 8,
    experts: 384,
    checkpointGib: 962.42,
    weights: { attentionGib: 23.99, embeddingGib: 1.75, mtpGib: 2.3, routerGib: 0.6, encodersGib: 0 },
    multimodal: false,
    parsers: { reasoning: "mimo", toolCall: "mimo" },
    chat: true,
    source: sources.checkpoint("XiaomiMiMo/MiMo-V2.5-Pro"),
    notEstablished: [],
  },
};

/** Width of one block of FP8 scales; an expert's slice on each rank is a multiple of it. */
export const fp8BlockWidth = 128;
