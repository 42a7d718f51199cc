import { describe, expect, it } from "vitest";
import { type Hardware, hardwareKinds, type Variant, variants } from "../../../crds/names.ts";
import { mostContext } from "../../../synth/capacity.ts";
import { accepted, optionsOf, planOf, refused } from "./requests.ts";

/** Estimates made from the checkpoints' tensor tables: weights and KV cache in GiB per GPU, tokens per data parallel rank. */
const estimates: readonly (readonly [Variant, Hardware, number, number, number])[] = [
  ["MiMo-V2-Flash", "H200", 37.8, 66.5, 1_560_000],
  ["MiMo-V2-Flash", "H100", 37.8, 21.5, 505_000],
  ["MiMo-V2-Flash", "H20", 37.8, 33.5, 787_000],
  ["MiMo-V2.5", "H200", 39.6, 50.7, 1_190_000],
  ["MiMo-V2.5", "H100", 39.6, 11.7, 276_000],
  ["MiMo-V2.5", "B200", 74.9, 40.8, 959_000],
  ["MiMo-V2.5", "GB300", 74.9, 104.7, 2_460_000],
  ["MiMo-V2.5-Pro", "H200", 62.6, 34.7, 2_080_000],
  ["MiMo-V2.5-Pro", "H100", 62.6, 4.5, 273_000],
  ["MiMo-V2.5-Pro", "B200", 120.8, 21.6, 2_260_000],
  ["MiMo-V2.5-Pro", "GB300", 120.8, 100, 2_890_000],
];

describe("the memory estimate", () => {
  it.each(estimates)(
    "of %s on %s agrees with the tensor tables",
    (variant, hardware, weights, kv, tokens) => {
      const { memory } = accepted({ variant, hardware });
      expect(Math.abs(memory.weightsGibPerGpu - weights)).toBeLessThanOrEqual(0.3);
      expect(Math.abs(memory.kvGibPerGpu - kv)).toBeLessThanOrEqual(0.3);
      expect(Math.abs(memory.tokensPerDataParallelRank - tokens) / tokens).toBeLessThan(0.03);
    },
  );

  it("counts the draft layer that releases keep in the same pool", () => {
    const tokens = (speculativeDecoding: string) =>
      accepted({
        variant: "MiMo-V2.5-Pro",
        hardware: "B200",
        runtime: "v0.5.18",
        features: { speculativeDecoding },
      }).memory.tokensPerDataParallelRank;
    expect(tokens("Enabled")).toBeLessThan(tokens("Disabled"));
  });
});

describe("contextLength", () => {
  it("is always written, whether asked for or not", () => {
    for (const contextLength of [undefined, 32_768]) {
      const plan = accepted({
        variant: "MiMo-V2.5",
        hardware: "H200",
        ...(contextLength && { contextLength }),
      });
      expect(optionsOf(plan.command)["--context-length"]).toBe(String(contextLength ?? 1_048_576));
    }
  });

  it("absent is the largest that fits, with a warning that names the checkpoint's", () => {
    const plan = accepted({ variant: "MiMo-V2.5", hardware: "H100" });
    expect(plan.contextLength).toBe(262_144);
    expect(plan.warnings.join("\n")).toMatch(/contextLength is 262144.*1048576/);
    expect(optionsOf(plan.command)).not.toHaveProperty("--swa-full-tokens-ratio");
  });

  it("beyond the recipe's room lowers the sliding window ratio as little as needed", () => {
    const plan = (contextLength: number) =>
      accepted({ variant: "MiMo-V2.5", hardware: "H100", contextLength });
    const ratio = (contextLength: number) =>
      optionsOf(plan(contextLength).command)["--swa-full-tokens-ratio"];
    expect(ratio(262_144)).toBeUndefined();
    expect(ratio(400_000)).toBe("0.5");
    expect(ratio(1_048_576)).toBe("0.1");
    expect(plan(1_048_576)).toMatchObject({ memory: { fits: true }, provenance: { level: "Derived" } });
    expect(plan(1_048_576).warnings.join("\n")).toContain("--swa-full-tokens-ratio 0.1 instead of 0.8");
  });

  it("beyond the estimate but within its margin is planned with a warning", () => {
    const plan = accepted({ variant: "MiMo-V2.5-Pro", hardware: "H100", contextLength: 600_000 });
    expect(plan.memory.fits).toBe(false);
    expect(plan.warnings.join("\n")).toMatch(/margin of 1\.6 GiB per GPU: it may not fit/);
  });

  it("beyond the margin is refused with what would work, and each of these works", () => {
    const spec = { variant: "MiMo-V2.5-Pro", hardware: "H100", contextLength: 1_048_576 };
    const [refusal] = refused(spec);
    expect(refusal).toMatchObject({ code: "ContextDoesNotFit", field: "spec.contextLength" });
    const smaller = Number(/contextLength: (\d+)/.exec(refusal?.message ?? "")?.[1]);
    const hardware = /take hardware: (\w+)/.exec(refusal?.message ?? "")?.[1];
    accepted({ ...spec, contextLength: smaller });
    accepted({ ...spec, hardware });
    const warned = accepted({ ...spec, memoryCheck: "Warn" });
    expect(warned).toMatchObject({ contextLength: 1_048_576, memory: { fits: false } });
  });

  it("beyond the checkpoint is refused, whatever memoryCheck says", () => {
    const [refusal] = refused({
      variant: "MiMo-V2-Flash",
      hardware: "GB300",
      contextLength: 262_145,
      memoryCheck: "Warn",
    });
    expect(refusal).toMatchObject({ code: "ContextBeyondCheckpoint", field: "spec.contextLength" });
    expect(refusal?.message).toContain("contextLength: 262144");
  });

  it.each(variants.flatMap((variant) => hardwareKinds.map((hardware) => ({ variant, hardware }))))(
    "of $variant on $hardware can be planned up to the largest that a rule of the API server lets through",
    ({ variant, hardware }) => {
      const most = mostContext(variant, hardware);
      const features = [{}, { speculativeDecoding: "Disabled" }];
      const planned = (contextLength: number) =>
        features.some((choice) => planOf({ variant, hardware, contextLength, features: choice }).accepted);
      expect(planned(most)).toBe(true);
      if (most < 1_048_576) expect(planned(most + 1)).toBe(false);
    },
  );
});
