import { describe, expect, it } from "vitest";
import type { Hardware, Runtime, Variant } from "../../../crds/names.ts";
import { type Generator, generate, type Published, type Switches } from "./generators.ts";
import { optionsOf, planOf } from "./requests.ts";

const everySwitching: readonly Switches[] = Array.from({ length: 64 }, (_, bits) => ({
  eagle: (bits & 1) !== 0,
  dpAttention: (bits & 2) !== 0,
  expertParallelism: (bits & 4) !== 0,
  deepEP: (bits & 8) !== 0,
  reasoningParser: (bits & 16) !== 0,
  toolCallParser: (bits & 32) !== 0,
}));

const mode = (on: boolean) => (on ? "Enabled" : "Disabled");
const specOf = (variant: Variant, hardware: Hardware, runtime: Runtime, switches: Switches) => ({
  variant,
  hardware,
  runtime,
  // The published commands name no context; within it the recipe's own ratio stays.
  contextLength: 131_072,
  features: {
    speculativeDecoding: mode(switches.eagle),
    dataParallelAttention: mode(switches.dpAttention),
    expertParallelism: mode(switches.expertParallelism),
    deepEP: mode(switches.deepEP),
    reasoningParser: mode(switches.reasoningParser),
    toolCallParser: mode(switches.toolCallParser),
  },
});

/** What every plan adds; the docs' table of differences gives the reasons. */
const added = [
  "--context-length",
  "--served-model-name",
  "--download-dir",
  "--dist-timeout",
  "--watchdog-timeout",
  "--enable-metrics",
  "--host",
  "--port",
];
const addedEnv = [
  "FLASHINFER_WORKSPACE_BASE",
  "SGLANG_DG_CACHE_DIR",
  "TORCHINDUCTOR_CACHE_DIR",
  "TORCH_NCCL_HEARTBEAT_TIMEOUT_SEC",
  "TRITON_CACHE_DIR",
];

type Entries = Record<string, string | true>;

/** One spelling for what versions and eras spell differently, less what every plan adds. */
function meaning(options: Readonly<Entries>): Entries {
  const result: Entries = {};
  for (const [name, value] of Object.entries(options)) {
    if (added.includes(name)) continue;
    if (name === "--attn-dp-size") {
      result["--dp-size"] = value;
      result["--enable-dp-attention"] = true;
    } else if (name === "--node-rank" || name === "--dist-init-addr") {
      result[name] = true;
    } else {
      result[name === "--cuda-graph-max-bs" ? "--cuda-graph-max-bs-decode" : name] = value;
    }
  }
  return result;
}

interface Case {
  readonly generator: Generator;
  readonly runtime: Runtime;
  readonly variant: Variant;
  readonly hardware: Hardware;
}
const pairs = (
  variants: readonly Variant[],
  kinds: readonly Hardware[],
  eras: [Generator, Runtime][],
): Case[] =>
  eras.flatMap(([generator, runtime]) =>
    variants.flatMap((variant) => kinds.map((hardware) => ({ generator, runtime, variant, hardware }))),
  );
const cases = [
  ...pairs(
    ["MiMo-V2.5", "MiMo-V2.5-Pro"],
    ["H100", "H200", "B200", "GB300"],
    [
      ["launch", "day0"],
      ["may", "day0"],
      ["newest", "v0.5.18"],
      ["newest", "v0.5.23"],
    ],
  ),
  ...pairs(["MiMo-V2-Flash"], ["H100", "H200"], [["flash", "day0"]]),
];

/** Where ours differs on purpose: option → our value. */
function corrections(
  { generator, variant, hardware }: Case,
  switches: Switches,
): Record<string, string | true | undefined> {
  const blackwell = hardware === "B200" || hardware === "GB300";
  const pro = variant === "MiMo-V2.5-Pro";
  return {
    ...(variant === "MiMo-V2.5" && blackwell && generator !== "newest"
      ? {
          "--attention-backend": "fa4",
          "--mm-attention-backend": "fa4",
          "--moe-runner-backend": "flashinfer_trtllm",
        }
      : {}),
    ...(pro && hardware === "H100"
      ? { "--mem-fraction-static": "0.85", "--chunked-prefill-size": "16384" }
      : {}),
    ...(pro && !blackwell && generator === "may" ? { "--dp-size": "2" } : {}),
    // The server spreads experts with DeepEP whether --ep is written or not.
    ...(pro && !blackwell && generator === "may" && switches.deepEP ? { "--ep-size": "16" } : {}),
  };
}

/** Switches of the generator that change nothing there, or that it forces. */
function expressible({ generator, variant, hardware }: Case, switches: Switches): boolean {
  if (generator === "flash") return !switches.deepEP;
  const hopper = hardware === "H100" || hardware === "H200";
  // The launch page has EAGLE for Pro only and no switch for expert parallelism.
  if (generator === "launch" && variant === "MiMo-V2.5" && switches.eagle) return false;
  if (generator === "launch" && variant === "MiMo-V2.5-Pro" && switches.expertParallelism) return false;
  // Attention is forced: split over two ranks on Hopper, whole on Blackwell. The rest can't start, see features.test.ts.
  return switches.dpAttention === hopper;
}

const settled = (
  expected: Published,
  fixes: Readonly<Record<string, string | true | undefined>>,
): Entries => {
  const result = meaning(expected.options);
  for (const [name, value] of Object.entries(fixes)) {
    if (value === undefined) delete result[name];
    else result[name] = value;
  }
  return result;
};

describe.each(cases)("$variant on $hardware with $runtime against the $generator generator", (c) => {
  it("means the same in every combination of its switches", () => {
    for (const switches of everySwitching.filter((candidate) => expressible(c, candidate))) {
      const result = planOf(specOf(c.variant, c.hardware, c.runtime, switches));
      if (!result.accepted) throw new Error(`${JSON.stringify(switches)}: ${result.refusals[0].message}`);
      const { command, env } = result.plan;
      const published = generate(c.generator, c.variant, c.hardware, switches);
      expect(meaning(optionsOf(command)), JSON.stringify(switches)).toEqual(
        settled(published, corrections(c, switches)),
      );
      const ownEnv = Object.fromEntries(Object.entries(env).filter(([name]) => !addedEnv.includes(name)));
      expect(ownEnv, JSON.stringify(switches)).toEqual(published.env);
    }
  });
});

const defaults: readonly (Case & { readonly on: Partial<Switches> })[] = cases
  .filter(({ generator }) => generator !== "may")
  .map((c) => ({
    ...c,
    on: {
      eagle: c.generator !== "launch" || c.variant === "MiMo-V2.5-Pro",
      dpAttention: c.hardware === "H100" || c.hardware === "H200",
    },
  }));

describe.each(defaults)("Balanced $variant on $hardware with $runtime", (c) => {
  it(`follows the $generator generator's default`, () => {
    const switches = {
      eagle: false,
      dpAttention: false,
      expertParallelism: false,
      deepEP: false,
      reasoningParser: true,
      toolCallParser: true,
      ...c.on,
    };
    const result = planOf({ variant: c.variant, hardware: c.hardware, runtime: c.runtime });
    if (!result.accepted) throw new Error(result.refusals[0].message);
    expect(meaning(optionsOf(result.plan.command))).toEqual(
      settled(generate(c.generator, c.variant, c.hardware, switches), corrections(c, switches)),
    );
  });
});
