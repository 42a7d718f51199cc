import type { Hardware, Variant } from "../../../crds/names.ts";

/**
 * The decisions of SGLang's published command generators for MiMo, in full option names, so that every combination of their
 * switches can be held against ours. `launch`: the launch page; `may`: its revision of May; `newest`; `flash`.
 */
export interface Switches {
  readonly eagle: boolean;
  readonly dpAttention: boolean;
  readonly expertParallelism: boolean;
  readonly deepEP: boolean;
  readonly reasoningParser: boolean;
  readonly toolCallParser: boolean;
}

export interface Published {
  readonly options: Readonly<Record<string, string | true>>;
  readonly env: Readonly<Record<string, string>>;
}

export type Generator = "launch" | "may" | "newest" | "flash";

const on = (condition: boolean, options: Readonly<Record<string, string | true>>) =>
  condition ? options : {};

const eagleOptions = {
  "--speculative-algorithm": "EAGLE",
  "--speculative-num-steps": "3",
  "--speculative-eagle-topk": "1",
  "--speculative-num-draft-tokens": "4",
} as const;
const loader = { "--model-loader-extra-config": '{"enable_multithread_load":true,"num_threads":64}' };

export function generate(
  generator: Generator,
  variant: Variant,
  hardware: Hardware,
  switches: Switches,
): Published {
  return generator === "flash" ? flash(switches) : v25(generator, variant, hardware, switches);
}

function flash({ eagle, dpAttention, reasoningParser, toolCallParser }: Switches): Published {
  return {
    env: { SGLANG_ENABLE_SPEC_V2: "1" },
    options: {
      "--model-path": "XiaomiMiMo/MiMo-V2-Flash",
      "--trust-remote-code": true,
      "--tp-size": "8",
      ...on(dpAttention, { "--dp-size": "2", "--enable-dp-attention": true }),
      "--mem-fraction-static": "0.75",
      "--max-running-requests": "128",
      "--chunked-prefill-size": "16384",
      ...loader,
      "--attention-backend": "fa3",
      ...on(eagle, { ...eagleOptions, "--enable-multi-layer-eagle": true }),
      ...on(reasoningParser, { "--reasoning-parser": "qwen3" }),
      ...on(toolCallParser, { "--tool-call-parser": "mimo" }),
    },
  };
}

function v25(
  generator: "launch" | "may" | "newest",
  variant: Variant,
  hardware: Hardware,
  switches: Switches,
): Published {
  const pro = variant === "MiMo-V2.5-Pro";
  const blackwell = hardware === "B200" || hardware === "GB300";
  const multiNode = pro && hardware !== "B200";
  const tp = pro ? (blackwell ? 8 : 16) : blackwell ? 4 : 8;
  const eagle = switches.eagle && (generator !== "launch" || pro);
  const deepEP = switches.deepEP && !blackwell;
  // The launch page ties --ep to DeepEP, later ones have a switch of its own.
  const expertParallel = pro && !blackwell && (generator === "launch" ? deepEP : switches.expertParallelism);
  const backends = blackwell && (pro || generator === "newest");
  return {
    env: {
      ...(multiNode && blackwell && { NCCL_MNNVL_ENABLE: "1", NCCL_CUMEM_ENABLE: "1" }),
      ...(eagle && generator !== "newest" && { SGLANG_ENABLE_SPEC_V2: "1" }),
      ...(deepEP && { SGLANG_DEEPEP_NUM_MAX_DISPATCH_TOKENS_PER_RANK: "256" }),
    },
    options: {
      "--trust-remote-code": true,
      "--model-path": `XiaomiMiMo/${variant}`,
      "--tp-size": String(tp),
      ...on(switches.dpAttention, {
        "--dp-size": pro && generator === "may" ? String(tp) : "2",
        "--enable-dp-attention": true,
        ...on(!pro, { "--enable-dp-lm-head": true, "--mm-enable-dp-encoder": true }),
      }),
      ...on(expertParallel, { "--ep-size": String(tp) }),
      ...on(multiNode, { "--nnodes": "2", "--node-rank": "<rank>", "--dist-init-addr": "<rank0>" }),
      ...on(backends, { "--moe-runner-backend": "flashinfer_trtllm", "--attention-backend": "fa4" }),
      ...on(backends && !pro, { "--mm-attention-backend": "fa4" }),
      ...on(deepEP, { "--moe-a2a-backend": "deepep", "--moe-dense-tp-size": "1" }),
      ...on(deepEP && !pro, { "--deepep-mode": "auto" }),
      "--mem-fraction-static": pro ? (blackwell ? "0.8" : "0.7") : "0.65",
      "--chunked-prefill-size": pro && !blackwell ? "32768" : "16384",
      ...on(pro, { "--max-running-requests": "128", ...loader }),
      ...on(pro && !blackwell, {
        [generator === "newest" ? "--cuda-graph-max-bs-decode" : "--cuda-graph-max-bs"]: "64",
        "--page-size": "64",
        "--swa-full-tokens-ratio": "0.3",
      }),
      ...on(pro && hardware === "B200", { "--swa-full-tokens-ratio": "0.1" }),
      ...on(eagle, eagleOptions),
      ...on(eagle && (!blackwell || generator === "newest"), { "--enable-multi-layer-eagle": true }),
      ...on(switches.reasoningParser, { "--reasoning-parser": "mimo" }),
      ...on(switches.toolCallParser, { "--tool-call-parser": "mimo" }),
      "--host": "0.0.0.0",
      "--port": "30000",
    },
  };
}
