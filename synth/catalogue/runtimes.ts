import type { Runtime, Variant } from "../../crds/names.ts";
import type { Generation } from "./hardware.ts";
import { sources } from "./sources.ts";

/** How a span of SGLang versions wants its options written, and what it checks. */
export interface Dialect {
  readonly cudaGraphMaxBatchSize: "--cuda-graph-max-bs" | "--cuda-graph-max-bs-decode";
  /** `--dp-size N --enable-dp-attention`, or `--attn-dp-size N` alone. */
  readonly dataParallelAttention: "enable-dp-attention" | "attn-dp-size";
  /** Who sets SGLANG_ENABLE_SPEC_V2=1, without which EAGLE's overlapped scheduler is off: the page of MiMo-V2-Flash always does. */
  readonly specV2: "always" | "with-eagle" | "never";
  /** Pages of this era leave --enable-multi-layer-eagle out on Blackwell. */
  readonly multiLayerEagleOnBlackwell: boolean;
  /** Whether --weight-loader-prefetch-checkpoints exists; "unproven" counts as no. */
  readonly prefetch: "yes" | "no" | "unproven";
  /** tp/dp against the ranks of the fused qkv_proj: equal to it, or a divisor of it. */
  readonly fusedQkv: "equal" | "divides";
  /** Draft layers that the KV pool budgets with EAGLE. */
  readonly budgetedDraftLayers: number;
  /** EAGLE's draft runners read the whole checkpoint each. */
  readonly draftReadsCheckpoint: boolean;
  /** `--enable-hierarchical-cache` with these checkpoints. */
  readonly hierarchicalCache: "loses-sliding-window" | "needs-unified-radix-tree" | "works";
}

export interface RuntimeImage {
  readonly runtime: Runtime;
  readonly variants: readonly Variant[];
  readonly generation: Generation;
  readonly repository: string;
  readonly tag: string;
  /** SGLang inside. */
  readonly sglang: string;
  readonly dialect: Dialect;
  /** SGLang versions [from, to] that take this dialect, as the patch number of 0.5.x. */
  readonly versions: readonly [number, number];
  readonly cuda: "12.9" | "13.0";
  readonly leastDriver: string;
  readonly amd64: "published" | "unproven";
  readonly arm64: "published" | "unproven";
  readonly deepEP: "shipped" | "unproven";
  /** User of the image and its home. Image files lie under ~/.cache, so nothing is mounted there. */
  readonly uid: number;
  readonly home: string;
  readonly source: string;
  readonly notEstablished: readonly string[];
}

const flashVariants = ["MiMo-V2-Flash", "MiMo-V2-Flash-Base"] as const;
const everyVariant = [...flashVariants, "MiMo-V2.5", "MiMo-V2.5-Pro"] as const;

const flashDay0: Dialect = {
  cudaGraphMaxBatchSize: "--cuda-graph-max-bs",
  dataParallelAttention: "enable-dp-attention",
  specV2: "always",
  multiLayerEagleOnBlackwell: false,
  prefetch: "no",
  fusedQkv: "equal",
  budgetedDraftLayers: 0,
  draftReadsCheckpoint: false,
  hierarchicalCache: "loses-sliding-window",
};
const v25Day0: Dialect = {
  ...flashDay0,
  specV2: "with-eagle",
  prefetch: "unproven",
  draftReadsCheckpoint: true,
};
const v0518: Dialect = {
  cudaGraphMaxBatchSize: "--cuda-graph-max-bs-decode",
  dataParallelAttention: "enable-dp-attention",
  specV2: "never",
  multiLayerEagleOnBlackwell: true,
  prefetch: "yes",
  fusedQkv: "divides",
  budgetedDraftLayers: 1,
  draftReadsCheckpoint: false,
  hierarchicalCache: "needs-unified-radix-tree",
};
const v0523: Dialect = { ...v0518, dataParallelAttention: "attn-dp-size", hierarchicalCache: "works" };

const sglangImage = { repository: "lmsysorg/sglang", uid: 0, home: "/root", amd64: "published" } as const;
const cuda12 = { cuda: "12.9", leastDriver: "525.60.13" } as const;
const cuda13 = { cuda: "13.0", leastDriver: "580.65.06" } as const;

const v25Day0Image = {
  ...sglangImage,
  runtime: "day0",
  sglang: "between 0.5.10 and 0.5.11",
  dialect: v25Day0,
  versions: [10, 13],
  arm64: "unproven",
  deepEP: "unproven",
  source: sources.day0Page,
  notEstablished: [
    "Whether the tag has an arm64 build: it was not made by the release workflow.",
    "The exact SGLang commit; the tag can be moved by its publisher.",
  ],
} as const;

const release = {
  ...sglangImage,
  variants: everyVariant,
  arm64: "published",
  deepEP: "shipped",
  source: sources.releaseImages,
  notEstablished: [],
} as const;

/** Which image serves which variant on which GPU generation. A combination that is absent has none. */
export const runtimeImages: readonly RuntimeImage[] = [
  {
    ...sglangImage,
    ...cuda12,
    runtime: "day0",
    variants: flashVariants,
    generation: "Hopper",
    tag: "dev-pr-15207",
    sglang: "pull request 15207, between 0.5.6 and 0.5.7",
    dialect: flashDay0,
    versions: [7, 13],
    arm64: "unproven",
    deepEP: "unproven",
    source: sources.flashGenerator,
    notEstablished: ["Its CUDA version; SGLang images of December 2025 carry 12.9."],
  },
  { ...v25Day0Image, ...cuda12, variants: ["MiMo-V2.5"], generation: "Hopper", tag: "dev-mimo-v2.5" },
  { ...v25Day0Image, ...cuda13, variants: ["MiMo-V2.5"], generation: "Blackwell", tag: "dev-cu13-mimo-v2.5" },
  { ...v25Day0Image, ...cuda12, variants: ["MiMo-V2.5-Pro"], generation: "Hopper", tag: "dev-mimo-v2.5-pro" },
  {
    ...v25Day0Image,
    ...cuda13,
    variants: ["MiMo-V2.5-Pro"],
    generation: "Blackwell",
    tag: "dev-cu13-mimo-v2.5-pro",
  },
  {
    ...release,
    ...cuda12,
    runtime: "v0.5.18",
    generation: "Hopper",
    tag: "v0.5.18-cu129",
    sglang: "0.5.18",
    dialect: v0518,
    versions: [14, 19],
  },
  {
    ...release,
    ...cuda13,
    runtime: "v0.5.18",
    generation: "Blackwell",
    tag: "v0.5.18",
    sglang: "0.5.18",
    dialect: v0518,
    versions: [14, 19],
  },
  {
    ...release,
    ...cuda13,
    runtime: "v0.5.23",
    generation: "Hopper",
    tag: "v0.5.23",
    sglang: "0.5.23",
    dialect: v0523,
    versions: [20, 99],
  },
  {
    ...release,
    ...cuda13,
    runtime: "v0.5.23",
    generation: "Blackwell",
    tag: "v0.5.23",
    sglang: "0.5.23",
    dialect: v0523,
    versions: [20, 99],
  },
];

/** First SGLang 0.5.x release that knows the architecture. */
export const firstRelease = { MiMoV2FlashForCausalLM: 7, MiMoV2ForCausalLM: 11 } as const;
