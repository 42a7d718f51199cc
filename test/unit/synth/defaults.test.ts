import { describe, expect, it } from "vitest";
import { hardwareKinds, runtimes, variants } from "../../../crds/names.ts";
import { recipes } from "../../../synth/catalogue/recipes.ts";
import { accepted, planOf } from "./requests.ts";

/** variant, hardware → runtime, image tag, nodes × GPUs, tp/dp, context, memory fraction, provenance. */
const twoFieldRequests: readonly (readonly [
  string,
  string,
  string,
  string,
  string,
  string,
  number,
  number,
  string,
])[] = [
  ["MiMo-V2-Flash", "H20", "day0", "dev-pr-15207", "1x8", "8/2", 262_144, 0.75, "Derived"],
  ["MiMo-V2-Flash", "H100", "day0", "dev-pr-15207", "1x8", "8/2", 262_144, 0.75, "Published"],
  ["MiMo-V2-Flash", "H200", "day0", "dev-pr-15207", "1x8", "8/2", 262_144, 0.75, "Published"],
  ["MiMo-V2-Flash", "B200", "v0.5.18", "v0.5.18", "1x4", "4/1", 262_144, 0.75, "Derived"],
  ["MiMo-V2-Flash", "GB300", "v0.5.18", "v0.5.18", "1x4", "4/1", 262_144, 0.75, "Derived"],
  ["MiMo-V2-Flash-Base", "H20", "day0", "dev-pr-15207", "1x8", "8/2", 262_144, 0.75, "Derived"],
  ["MiMo-V2-Flash-Base", "H100", "day0", "dev-pr-15207", "1x8", "8/2", 262_144, 0.75, "Derived"],
  ["MiMo-V2-Flash-Base", "H200", "day0", "dev-pr-15207", "1x8", "8/2", 262_144, 0.75, "Derived"],
  ["MiMo-V2-Flash-Base", "B200", "v0.5.18", "v0.5.18", "1x4", "4/1", 262_144, 0.75, "Derived"],
  ["MiMo-V2-Flash-Base", "GB300", "v0.5.18", "v0.5.18", "1x4", "4/1", 262_144, 0.75, "Derived"],
  ["MiMo-V2.5", "H20", "day0", "dev-mimo-v2.5", "1x8", "8/2", 1_048_576, 0.65, "Derived"],
  ["MiMo-V2.5", "H100", "day0", "dev-mimo-v2.5", "1x8", "8/2", 262_144, 0.65, "Published"],
  ["MiMo-V2.5", "H200", "day0", "dev-mimo-v2.5", "1x8", "8/2", 1_048_576, 0.65, "Verified"],
  ["MiMo-V2.5", "B200", "day0", "dev-cu13-mimo-v2.5", "1x4", "4/1", 917_504, 0.65, "Published"],
  ["MiMo-V2.5", "GB300", "day0", "dev-cu13-mimo-v2.5", "1x4", "4/1", 1_048_576, 0.65, "Published"],
  ["MiMo-V2.5-Pro", "H20", "day0", "dev-mimo-v2.5-pro", "2x8", "16/2", 1_048_576, 0.8, "Derived"],
  ["MiMo-V2.5-Pro", "H100", "day0", "dev-mimo-v2.5-pro", "2x8", "16/2", 262_144, 0.85, "Derived"],
  ["MiMo-V2.5-Pro", "H200", "day0", "dev-mimo-v2.5-pro", "2x8", "16/2", 1_048_576, 0.7, "Published"],
  ["MiMo-V2.5-Pro", "B200", "day0", "dev-cu13-mimo-v2.5-pro", "1x8", "8/1", 1_048_576, 0.8, "Verified"],
  ["MiMo-V2.5-Pro", "GB300", "day0", "dev-cu13-mimo-v2.5-pro", "2x4", "8/1", 1_048_576, 0.8, "Verified"],
];

describe("two fields are enough", () => {
  it.each(twoFieldRequests)("%s on %s runs on %s", (variant, hardware, ...expected) => {
    const plan = accepted({ variant, hardware });
    const fraction = plan.command[plan.command.indexOf("--mem-fraction-static") + 1];
    expect([
      plan.runtime,
      plan.image.reference.replace("lmsysorg/sglang:", ""),
      `${plan.nodes}x${plan.gpusPerNode}`,
      `${plan.tensorParallel}/${plan.dataParallel}`,
      plan.contextLength,
      Number(fraction),
      plan.provenance.level,
    ]).toEqual(expected);
    expect(plan.memory.fits).toBe(true);
  });

  it("covers every pair", () => {
    expect(twoFieldRequests).toHaveLength(variants.length * hardwareKinds.length);
  });
});

describe("every pair on every runtime", () => {
  const combinations = variants.flatMap((variant) =>
    hardwareKinds.flatMap((hardware) => runtimes.map((runtime) => ({ variant, hardware, runtime }))),
  );
  const impossible = ({ variant, hardware, runtime }: (typeof combinations)[number]) =>
    runtime === "day0" && variant.startsWith("MiMo-V2-Flash") && ["B200", "GB300"].includes(hardware);

  it.each(combinations.filter((combination) => !impossible(combination)))(
    "plans $variant on $hardware with $runtime",
    (spec) => {
      expect(accepted(spec).runtime).toBe(spec.runtime);
    },
  );

  it.each(combinations.filter(impossible))(
    "refuses $variant on $hardware with $runtime and names runtimes that work",
    (spec) => {
      const result = planOf(spec);
      if (result.accepted) throw new Error("planned");
      const [refusal] = result.refusals;
      expect(refusal).toMatchObject({ code: "RuntimeUnavailable", field: "spec.runtime" });
      for (const named of refusal.message.match(/v0\.5\.\d+/g) ?? []) accepted({ ...spec, runtime: named });
      expect(refusal.message).toContain("v0.5.18");
    },
  );
});

describe("a recipe", () => {
  const all = variants.flatMap((variant) =>
    hardwareKinds.map((kind) => ({ variant, kind, recipe: recipes[variant][kind] })),
  );

  it.each(all)("of $variant on $kind names its source, and its reason where it is derived", ({ recipe }) => {
    expect(recipe.provenance.source).toMatch(/\S{10}/);
    if (recipe.provenance.level === "Derived") expect(recipe.provenance.note).not.toBe("");
    for (const { reason } of recipe.differences) expect(reason).not.toBe("");
  });

  it.each(all)(
    "of $variant on $kind tells in the plan where a published command was wrong",
    ({ variant, kind, recipe }) => {
      const { note } = accepted({ variant, hardware: kind }).provenance;
      for (const { setting, era } of recipe.differences)
        if (era !== "release") expect(note).toContain(setting);
    },
  );

  it.each(all)("of $variant on $kind has a provenance that fits the status", ({ variant, kind }) => {
    const { level, source, note } = accepted({ variant, hardware: kind }).provenance;
    expect(`${level}: ${note} (${source})`.length).toBeLessThanOrEqual(1024);
  });
});

describe("hardware decides the details", () => {
  it("gives H20 one EAGLE step, and other Hopper nodes the published three", () => {
    const steps = (hardware: string) => {
      const { command } = accepted({ variant: "MiMo-V2-Flash", hardware });
      return command[command.indexOf("--speculative-num-steps") + 1];
    };
    expect(["H20", "H100", "H200"].map(steps)).toEqual(["1", "3", "3"]);
  });

  it("joins GB300 nodes by NVLink, and no others", () => {
    const env = (hardware: string) => accepted({ variant: "MiMo-V2.5-Pro", hardware }).env;
    expect(env("GB300")).toMatchObject({ NCCL_MNNVL_ENABLE: "1", NCCL_CUMEM_ENABLE: "1" });
    expect(env("H200")).not.toHaveProperty("NCCL_MNNVL_ENABLE");
    expect(accepted({ variant: "MiMo-V2.5", hardware: "GB300" }).env).not.toHaveProperty("NCCL_MNNVL_ENABLE");
  });

  it("says that an arm64 build of a launch image isn't proven", () => {
    const { warnings } = accepted({ variant: "MiMo-V2.5-Pro", hardware: "GB300" });
    expect(warnings.join("\n")).toMatch(/arm64 build is not proven.*v0\.5\.18/);
    const released = accepted({ variant: "MiMo-V2.5-Pro", hardware: "GB300", runtime: "v0.5.18" });
    expect(released.warnings.join("\n")).not.toContain("not proven");
  });

  it("warns of the driver that CUDA 13 needs on Hopper, and names the runtime that needs less", () => {
    const newest = accepted({ variant: "MiMo-V2.5", hardware: "H200", runtime: "v0.5.23" });
    expect(newest.warnings.join("\n")).toMatch(/driver 580.*v0\.5\.18 runs on older/);
    const older = accepted({ variant: "MiMo-V2.5", hardware: "H200", runtime: "v0.5.18" });
    expect(older.image.reference).toBe("lmsysorg/sglang:v0.5.18-cu129");
    expect(older.warnings.join("\n")).not.toContain("driver");
  });

  it("warns that MiMo-V2.5-Pro with EAGLE may hang on day0, and only there", () => {
    const hang = (spec: object) =>
      accepted({ variant: "MiMo-V2.5-Pro", hardware: "B200", ...spec }).warnings.some((w) =>
        w.includes("25748"),
      );
    expect(hang({})).toBe(true);
    expect(hang({ runtime: "v0.5.18" })).toBe(false);
    expect(hang({ features: { speculativeDecoding: "Disabled" } })).toBe(false);
  });

  it("leaves parsers and EAGLE out for the base model, and gives them with a warning when asked", () => {
    const base = { variant: "MiMo-V2-Flash-Base", hardware: "H200" };
    const plain = accepted(base).command.join(" ");
    expect(plain).not.toMatch(/parser|speculative/);
    const asked = accepted({
      ...base,
      features: { reasoningParser: "Enabled", toolCallParser: "Enabled", speculativeDecoding: "Enabled" },
    });
    expect(asked.command.join(" ")).toMatch(
      /--speculative-algorithm EAGLE.*--reasoning-parser qwen3 --tool-call-parser mimo/,
    );
    expect(
      asked.warnings.filter((warning) => warning.includes("Enabled for MiMo-V2-Flash-Base")),
    ).toHaveLength(3);
  });
});
