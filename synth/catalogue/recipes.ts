import type { Hardware, Variant } from "../../crds/names.ts";
import type { Provenance } from "../serving-plan.ts";
import type { Difference } from "./differences.ts";
import { sources } from "./sources.ts";

/** How one variant runs on one kind of hardware, as published, or derived from the nearest published recipe. */
export interface Recipe {
  readonly nodes: number;
  readonly gpusPerNode: number;
  readonly tensorParallel: number;
  /** Data parallel ranks of attention that the recipe uses; 1 = none. */
  readonly dataParallel: number;
  /** Share of GPU memory for weights and KV cache. */
  readonly memFractionStatic: number;
  readonly chunkedPrefillSize: number;
  /** Absent: the server's own default. */
  readonly maxRunningRequests?: number;
  readonly cudaGraphMaxBatchSize?: number;
  readonly pageSize?: number;
  /** Sliding window tokens kept per token of full attention; the server's default is 0.8. */
  readonly swaFullTokensRatio?: number;
  /** Threads of the weight loader; absent: the server's default. */
  readonly loaderThreads?: number;
  readonly attentionBackend?: "fa3" | "fa4";
  readonly moeRunnerBackend?: "flashinfer_trtllm";
  readonly multimodalAttentionBackend?: "fa4";
  readonly speculative: {
    /** EAGLE steps; draft tokens are one more. */
    readonly steps: number;
    readonly onByDefault: { readonly day0: boolean; readonly release: boolean };
  };
  /** Options that DeepEP brings; absent where the MoE backend has no use for it. */
  readonly deepEP?: readonly string[];
  /** Whether a published command spreads experts by --ep. */
  readonly expertParallelism: boolean;
  readonly provenance: Provenance;
  readonly differences: readonly Difference[];
}

const loaderThreads = 64;
const eagleSteps = 3;
/** H20 has a seventh of H200's compute at its bandwidth; deep drafts would make decoding compute-bound. */
const h20EagleSteps = 1;

const eagle = (steps: number, day0: boolean, release: boolean) => ({
  steps,
  onByDefault: { day0, release },
});

const flashHopper = {
  nodes: 1,
  gpusPerNode: 8,
  tensorParallel: 8,
  dataParallel: 2,
  memFractionStatic: 0.75,
  maxRunningRequests: 128,
  chunkedPrefillSize: 16_384,
  loaderThreads,
  attentionBackend: "fa3",
  speculative: eagle(eagleSteps, true, true),
  deepEP: ["--moe-a2a-backend", "deepep"],
  expertParallelism: false,
  differences: [],
} as const;

const flashBlackwell = {
  nodes: 1,
  gpusPerNode: 4,
  tensorParallel: 4,
  dataParallel: 1,
  memFractionStatic: 0.75,
  maxRunningRequests: 128,
  chunkedPrefillSize: 16_384,
  loaderThreads,
  attentionBackend: "fa4",
  moeRunnerBackend: "flashinfer_trtllm",
  speculative: eagle(eagleSteps, true, true),
  expertParallelism: false,
  provenance: {
    level: "Derived",
    source: `${sources.flashGenerator}; ${sources.modelOverrides}`,
    note: "no recipe for Blackwell is published: batch and memory of the Hopper recipe, GPUs and backends of MiMo-V2.5's Blackwell recipe, the same attention and experts",
  },
  differences: [],
} as const;

const v25Hopper = {
  nodes: 1,
  gpusPerNode: 8,
  tensorParallel: 8,
  dataParallel: 2,
  memFractionStatic: 0.65,
  chunkedPrefillSize: 16_384,
  speculative: eagle(eagleSteps, false, true),
  deepEP: ["--moe-a2a-backend", "deepep", "--deepep-mode", "auto", "--moe-dense-tp-size", "1"],
  expertParallelism: false,
  differences: [],
} as const;

const v25Blackwell = {
  nodes: 1,
  gpusPerNode: 4,
  tensorParallel: 4,
  dataParallel: 1,
  memFractionStatic: 0.65,
  chunkedPrefillSize: 16_384,
  attentionBackend: "fa4",
  moeRunnerBackend: "flashinfer_trtllm",
  multimodalAttentionBackend: "fa4",
  speculative: eagle(eagleSteps, false, true),
  expertParallelism: false,
  provenance: { level: "Published", source: sources.v25Generator, note: "" },
  differences: [
    {
      setting: "--attention-backend, --mm-attention-backend, --moe-runner-backend",
      published: "absent",
      ours: "fa4, fa4, flashinfer_trtllm",
      reason:
        "keys are 192 wide and values 128: Blackwell's default attention backend aborts CUDA graph capture on that; the newest generator has the flags",
      era: "day0",
    },
  ],
} as const;

const proHopper = {
  nodes: 2,
  gpusPerNode: 8,
  tensorParallel: 16,
  dataParallel: 2,
  memFractionStatic: 0.7,
  maxRunningRequests: 128,
  chunkedPrefillSize: 32_768,
  cudaGraphMaxBatchSize: 64,
  pageSize: 64,
  swaFullTokensRatio: 0.3,
  loaderThreads,
  speculative: eagle(eagleSteps, true, true),
  deepEP: ["--moe-a2a-backend", "deepep", "--moe-dense-tp-size", "1"],
  expertParallelism: true,
  differences: [
    {
      setting: "--dp-size, --enable-dp-attention",
      published: "absent",
      ours: "--dp-size 2 --enable-dp-attention",
      reason:
        "the fused qkv_proj is stored for 8 attention ranks: --tp 16 without two data parallel ranks stops with a ValueError (sgl-project/sglang issue 24607), and so does the --dp 16 of the page's May revision; the newest generator has 2",
      era: "day0",
    },
  ],
} as const;

const proBlackwell = {
  tensorParallel: 8,
  dataParallel: 1,
  memFractionStatic: 0.8,
  maxRunningRequests: 128,
  chunkedPrefillSize: 16_384,
  loaderThreads,
  attentionBackend: "fa4",
  moeRunnerBackend: "flashinfer_trtllm",
  speculative: eagle(eagleSteps, true, true),
  expertParallelism: false,
  differences: [],
} as const;

const h20Note =
  "no recipe names H20: H200's, with one EAGLE step because H20 has little compute for its bandwidth";
const baseNote =
  "no command for the base model is published: MiMo-V2-Flash's recipe, without parsers and without EAGLE, since nothing published says that the base checkpoint has a chat template or MTP layers";

const base = <R extends Omit<Recipe, "provenance">>(recipe: R, note: string, source: string) => ({
  ...recipe,
  speculative: eagle(recipe.speculative.steps, false, false),
  provenance: { level: "Derived" as const, source, note: note === "" ? baseNote : `${baseNote}; ${note}` },
});

const flashH20 = { ...flashHopper, speculative: eagle(h20EagleSteps, true, true) };

export const recipes: Readonly<Record<Variant, Readonly<Record<Hardware, Recipe>>>> = {
  "MiMo-V2-Flash": {
    H20: {
      ...flashH20,
      provenance: {
        level: "Derived",
        source: `${sources.flashGenerator}; ${sources.flashBlog}`,
        note: h20Note,
      },
    },
    H100: { ...flashHopper, provenance: { level: "Published", source: sources.flashGenerator, note: "" } },
    H200: { ...flashHopper, provenance: { level: "Published", source: sources.flashGenerator, note: "" } },
    B200: flashBlackwell,
    GB300: flashBlackwell,
  },
  "MiMo-V2-Flash-Base": {
    H20: base(flashH20, h20Note, sources.flashGenerator),
    H100: base(flashHopper, "", sources.flashGenerator),
    H200: base(flashHopper, "", sources.flashGenerator),
    B200: base(flashBlackwell, flashBlackwell.provenance.note, flashBlackwell.provenance.source),
    GB300: base(flashBlackwell, flashBlackwell.provenance.note, flashBlackwell.provenance.source),
  },
  "MiMo-V2.5": {
    H20: {
      ...v25Hopper,
      swaFullTokensRatio: 0.3,
      speculative: eagle(h20EagleSteps, false, true),
      provenance: {
        level: "Derived",
        source: sources.v25Generator,
        note: `${h20Note}, and a sliding window ratio of 0.3 so that 96 GB hold the whole context`,
      },
    },
    H100: { ...v25Hopper, provenance: { level: "Published", source: sources.v25Generator, note: "" } },
    H200: { ...v25Hopper, provenance: { level: "Verified", source: sources.v25Generator, note: "" } },
    B200: v25Blackwell,
    GB300: v25Blackwell,
  },
  "MiMo-V2.5-Pro": {
    H20: {
      ...proHopper,
      memFractionStatic: 0.8,
      chunkedPrefillSize: 16_384,
      swaFullTokensRatio: 0.1,
      speculative: eagle(h20EagleSteps, true, true),
      provenance: {
        level: "Derived",
        source: sources.v25Generator,
        note: `${h20Note}; memory fraction 0.8 and a sliding window ratio of 0.1 because 0.7 of 96 GB leaves 4 GiB for the KV cache, half the prefill chunk for the smaller reserve`,
      },
    },
    H100: {
      ...proHopper,
      memFractionStatic: 0.85,
      chunkedPrefillSize: 16_384,
      provenance: {
        level: "Derived",
        source: sources.v25Generator,
        note: "published as not yet verified: weights take 62 GiB of each GPU, more than the published fraction of 0.7; 0.85 leaves a few GiB for the KV cache, half the prefill chunk for the smaller reserve",
      },
      differences: [
        ...proHopper.differences,
        {
          setting: "--mem-fraction-static",
          published: "0.7",
          ours: "0.85",
          reason: "weights take 62 GiB per GPU; 0.7 of 79 GiB is 55 GiB",
          era: "both",
        },
        {
          setting: "--chunked-prefill-size",
          published: "32768",
          ours: "16384",
          reason: "the larger memory fraction leaves 12 GiB for activations and CUDA graphs",
          era: "both",
        },
      ],
    },
    H200: {
      ...proHopper,
      provenance: { level: "Published", source: sources.v25Generator, note: "published as not yet verified" },
    },
    B200: {
      ...proBlackwell,
      nodes: 1,
      gpusPerNode: 8,
      swaFullTokensRatio: 0.1,
      provenance: { level: "Verified", source: sources.v25Generator, note: "" },
    },
    GB300: {
      ...proBlackwell,
      nodes: 2,
      gpusPerNode: 4,
      provenance: { level: "Verified", source: sources.v25Generator, note: "" },
    },
  },
};
