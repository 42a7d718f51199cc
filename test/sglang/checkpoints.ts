import type { CheckpointConfig } from "./parser.ts";

const fp8 = { quantization_config: { quant_method: "fp8" } };

const flash: CheckpointConfig = {
  architectures: ["MiMoV2FlashForCausalLM"],
  num_key_value_heads: 4,
  ...fp8,
};

/**
 * What the start-up checks read of each variant's config.json. V2.5 and V2.5-Pro store q, k and v
 * fused, interleaved for as many tensor-parallel ranks as there are key/value heads.
 */
export const CHECKPOINTS = {
  "MiMo-V2-Flash": flash,
  "MiMo-V2-Flash-Base": flash,
  "MiMo-V2.5": {
    architectures: ["MiMoV2ForCausalLM"],
    num_key_value_heads: 4,
    attention_projection_layout: "fused_qkv",
    ...fp8,
  },
  "MiMo-V2.5-Pro": {
    architectures: ["MiMoV2ForCausalLM"],
    num_key_value_heads: 8,
    attention_projection_layout: "fused_qkv",
    ...fp8,
  },
} as const satisfies Record<string, CheckpointConfig>;
