import { describe, expect, it } from "vitest";
import { accepted, optionsOf, refused } from "./requests.ts";

const withAttention = (
  variant: string,
  hardware: string,
  dataParallelAttention: string,
  runtime = "day0",
) => ({
  variant,
  hardware,
  runtime,
  features: { dataParallelAttention },
});

describe("data parallel attention", () => {
  it.each([
    ["MiMo-V2.5", "H200"],
    ["MiMo-V2.5", "H100"],
    ["MiMo-V2.5", "H20"],
    ["MiMo-V2.5-Pro", "H200"],
  ])("can't be Disabled for %s on %s, on any runtime", (variant, hardware) => {
    for (const runtime of ["day0", "v0.5.18", "v0.5.23"]) {
      const [refusal] = refused(withAttention(variant, hardware, "Disabled", runtime));
      expect(refusal).toMatchObject({
        code: "AttentionLayout",
        field: "spec.features.dataParallelAttention",
      });
      expect(refusal?.message).toMatch(/fused for [48] ranks.*Write dataParallelAttention: Auto/);
    }
  });

  it.each([
    ["MiMo-V2.5", "B200"],
    ["MiMo-V2.5-Pro", "GB300"],
  ])("can be Enabled for %s on %s only from the loader on that splits further", (variant, hardware) => {
    const [refusal] = refused(withAttention(variant, hardware, "Enabled"));
    expect(refusal).toMatchObject({ code: "AttentionLayout", field: "spec.features.dataParallelAttention" });
    expect(refusal?.message).toContain("take runtime v0.5.18");
    const plan = accepted(withAttention(variant, hardware, "Enabled", "v0.5.18"));
    expect(plan.dataParallel).toBe(2);
    expect(plan.provenance.level).toBe("Derived");
    expect(plan.warnings.join("\n")).toContain("no published command splits attention");
  });

  it("brings its companions for the multimodal checkpoint", () => {
    const options = optionsOf(accepted({ variant: "MiMo-V2.5", hardware: "H200" }).command);
    expect(options).toMatchObject({
      "--dp-size": "2",
      "--enable-dp-attention": true,
      "--enable-dp-lm-head": true,
      "--mm-enable-dp-encoder": true,
    });
    const pro = optionsOf(accepted({ variant: "MiMo-V2.5-Pro", hardware: "H200" }).command);
    expect(pro).not.toHaveProperty("--enable-dp-lm-head");
  });

  it("is written in the runtime's words", () => {
    const options = (runtime: string) =>
      optionsOf(accepted({ variant: "MiMo-V2.5-Pro", hardware: "H200", runtime }).command);
    expect(options("v0.5.18")).toMatchObject({ "--dp-size": "2", "--enable-dp-attention": true });
    expect(options("v0.5.23")).toMatchObject({ "--attn-dp-size": "2" });
    expect(options("v0.5.23")).not.toHaveProperty("--dp-size");
    expect(options("v0.5.23")).not.toHaveProperty("--enable-dp-attention");
  });

  it("may be left out for MiMo-V2-Flash, which stores attention apart", () => {
    expect(accepted(withAttention("MiMo-V2-Flash", "H200", "Disabled"))).toMatchObject({
      dataParallel: 1,
      provenance: { level: "Published" },
    });
  });
});

describe("DeepEP and expert parallelism", () => {
  it("is a no-op on Blackwell: accepted, left out, said", () => {
    for (const hardware of ["B200", "GB300"]) {
      const plan = accepted({ variant: "MiMo-V2.5-Pro", hardware, features: { deepEP: "Enabled" } });
      expect(plan.command.join(" ")).not.toContain("deepep");
      expect(plan.expertParallel).toBe(1);
      expect(plan.warnings.join("\n")).toContain(`spec.features.deepEP is left out on ${hardware}`);
    }
  });

  it("spreads MiMo-V2.5-Pro's experts over every rank, and writes it", () => {
    const plan = accepted({ variant: "MiMo-V2.5-Pro", hardware: "H200", features: { deepEP: "Enabled" } });
    expect(plan.expertParallel).toBe(16);
    expect(optionsOf(plan.command)).toMatchObject({
      "--ep-size": "16",
      "--moe-a2a-backend": "deepep",
      "--moe-dense-tp-size": "1",
    });
    expect(plan.env).toMatchObject({ SGLANG_DEEPEP_NUM_MAX_DISPATCH_TOKENS_PER_RANK: "256" });
  });

  it("follows the generators where they have no --ep: left out with a warning", () => {
    for (const spec of [
      { variant: "MiMo-V2.5", hardware: "H200" },
      { variant: "MiMo-V2.5-Pro", hardware: "B200" },
    ]) {
      const plan = accepted({ ...spec, features: { expertParallelism: "Enabled" } });
      expect(plan.command).not.toContain("--ep-size");
      expect(plan.warnings.join("\n")).toContain("spec.features.expertParallelism is left out");
    }
  });

  it("needs RDMA between nodes, and says so where the platform names none", () => {
    const spec = { variant: "MiMo-V2.5-Pro", hardware: "H200", features: { deepEP: "Enabled" } };
    const warned = (warnings: readonly string[]) =>
      warnings.some((w) => w.startsWith("DeepEP between nodes"));
    expect(warned(accepted(spec).warnings)).toBe(true);
    const platform = { hardware: [{ kind: "H200" as const, fabric: { resources: { "rdma/ib": "8" } } }] };
    expect(warned(accepted(spec, platform).warnings)).toBe(false);
  });
});

describe("a profile", () => {
  const plan = (variant: string, hardware: string, profile: string, more: object = {}) =>
    accepted({ variant, hardware, profile, ...more });

  it("Throughput turns DeepEP on where it applies, and leaves it to an explicit Disabled", () => {
    const has = (p: { command: readonly string[] }) => p.command.includes("deepep");
    expect(has(plan("MiMo-V2.5", "H200", "Throughput"))).toBe(true);
    expect(has(plan("MiMo-V2.5", "B200", "Throughput"))).toBe(false);
    expect(has(plan("MiMo-V2.5", "H200", "Throughput", { features: { deepEP: "Disabled" } }))).toBe(false);
    for (const profile of ["Balanced", "Latency"])
      expect(has(plan("MiMo-V2.5", "H200", profile))).toBe(false);
    expect(has(plan("MiMo-V2.5", "H200", "Latency", { features: { deepEP: "Enabled" } }))).toBe(true);
  });

  it("Throughput runs a larger batch where the KV cache has room, and the published one where it hasn't", () => {
    const batch = (hardware: string) => {
      const options = optionsOf(plan("MiMo-V2.5-Pro", hardware, "Throughput").command);
      return [options["--max-running-requests"], options["--cuda-graph-max-bs"]];
    };
    expect(batch("H200")).toEqual(["256", "128"]);
    expect(batch("H100")).toEqual(["128", "64"]);
  });

  it("Throughput sizes DeepEP's buffer for the larger batch's draft tokens", () => {
    const { env } = plan("MiMo-V2.5-Pro", "H200", "Throughput");
    expect(env).toMatchObject({ SGLANG_DEEPEP_NUM_MAX_DISPATCH_TOKENS_PER_RANK: "512" });
  });

  it("Latency is what is published, without DeepEP", () => {
    const { profile: _, ...latency } = plan("MiMo-V2.5-Pro", "H200", "Latency");
    const { profile: __, ...balanced } = plan("MiMo-V2.5-Pro", "H200", "Balanced");
    expect(latency).toEqual(balanced);
  });
});

describe("speculative decoding", () => {
  it("on day0 for MiMo-V2.5 is off as on the launch page, and can be had with a warning", () => {
    const v25 = { variant: "MiMo-V2.5", hardware: "H200" };
    expect(accepted(v25).command).not.toContain("EAGLE");
    const asked = accepted({ ...v25, features: { speculativeDecoding: "Enabled" } });
    expect(optionsOf(asked.command)).toMatchObject({ "--speculative-algorithm": "EAGLE" });
    expect(asked.env).toMatchObject({ SGLANG_ENABLE_SPEC_V2: "1" });
    expect(asked.warnings.join("\n")).toContain("the launch page of MiMo-V2.5 has no EAGLE");
  });

  it("needs no SGLANG_ENABLE_SPEC_V2 on releases", () => {
    const plan = accepted({ variant: "MiMo-V2.5-Pro", hardware: "H200", runtime: "v0.5.18" });
    expect(plan.command).toContain("EAGLE");
    expect(plan.env).not.toHaveProperty("SGLANG_ENABLE_SPEC_V2");
  });
});
