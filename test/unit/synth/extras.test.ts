import { describe, expect, it } from "vitest";
import { accepted, refused } from "./requests.ts";

const pro = { variant: "MiMo-V2.5-Pro", hardware: "H200" };
const withArgs = (...extraArgs: string[]) => ({ ...pro, server: { extraArgs } });
const withEnv = (name: string, value = "1", spec: object = pro) => ({
  ...spec,
  server: { extraEnv: [{ name, value }] },
});

describe("extra arguments", () => {
  it("are appended as they are", () => {
    const extra = [
      "--log-level",
      "debug",
      "--disable-radix-cache",
      "--decode-log-interval=10",
      "--seed",
      "-1",
    ];
    expect(accepted(withArgs(...extra)).command.slice(-extra.length)).toEqual(extra);
  });

  it.each([
    ["--tp-size", "spec.hardware"],
    ["--tp", "spec.hardware"],
    ["--tensor-parallel-size=8", "spec.hardware"],
    ["--dp", "spec.features.dataParallelAttention"],
    ["--attn-dp-size=4", "spec.features.dataParallelAttention"],
    ["--ep", "spec.features.expertParallelism"],
    ["--host=127.0.0.1", "0.0.0.0"],
    ["--port", "spec.server.port"],
    ["--context-length", "spec.contextLength"],
    ["--context-len", "--context-length"],
    ["--mem-frac=0.9", "--mem-fraction-static"],
    ["--model-path", "spec.model"],
    ["--served-model-name", "spec.server.servedModelName"],
    ["--api-key", "spec.server.apiKeySecret"],
    ["--speculative-algo", "spec.features.speculativeDecoding"],
    ["--reasoning-parser=qwen3", "spec.features.reasoningParser"],
    ["--moe-a2a-backend", "spec.features.deepEP"],
    ["--enable-metrics", "always on"],
    ["--dist-init-addr", "spec.hardware"],
    ["--config", "file of options"],
    ["--enable-dp-att", "--enable-dp-attention"],
  ])("may not set %s, which is the plan's", (word, hint) => {
    const [refusal, ...more] = refused(withArgs("--log-level", "debug", word, "x"));
    expect(more).toEqual([]);
    expect(refusal).toMatchObject({ code: "OptionOwned", field: "spec.server.extraArgs[2]" });
    expect(refusal?.message).toContain(word.split("=")[0]);
    expect(refusal?.message).toContain(hint);
  });

  it("may extend an owned name, as another option does", () => {
    accepted(
      withArgs("--enable-metrics-for-all-schedulers", "--tokenizer-mode", "auto", "--load-format", "auto"),
    );
  });

  it.each([
    ["debug", "without an option before it"],
    ["--log-level debug", "as two items"],
    ["-tp=8", 'begin with "--"'],
    ["--", 'begin with "--"'],
  ])("that are no words of a command line are refused: %s", (word, hint) => {
    const [refusal] = refused(withArgs(word));
    expect(refusal).toMatchObject({ code: "OptionMalformed", field: "spec.server.extraArgs[0]" });
    expect(refusal?.message).toContain(hint);
  });

  it.each(["--disaggregation-mode", "--ssl-keyfile"])(
    "that the server can't be probed or used with are refused: %s",
    (word) => {
      expect(refused(withArgs(word, "x"))[0]).toMatchObject({ code: "OptionUnsupported" });
    },
  );

  it("may turn the hierarchical cache on only where it keeps the sliding window", () => {
    const cached = (runtime: string, extraEnv: object[] = []) => ({
      ...pro,
      runtime,
      server: { extraArgs: ["--enable-hierarchical-cache"], extraEnv },
    });
    expect(refused(cached("day0"))[0]?.message).toContain("Take runtime v0.5.23");
    expect(refused(cached("v0.5.18"))[0]?.message).toContain("SGLANG_ENABLE_UNIFIED_RADIX_TREE=1");
    accepted(cached("v0.5.18", [{ name: "SGLANG_ENABLE_UNIFIED_RADIX_TREE", value: "1" }]));
    accepted(cached("v0.5.23"));
  });

  it("are all judged at once, beside every other reason", () => {
    const codes = refused({
      ...withArgs("--tp", "8", "--host", "::"),
      contextLength: 1_000_000,
      hardware: "H100",
      model: { hostPath: { path: "/etc" } },
    }).map(({ code }) => code);
    expect(codes.sort()).toEqual(["ContextDoesNotFit", "HostPathNotAllowed", "OptionOwned", "OptionOwned"]);
  });
});

describe("extra environment", () => {
  it("is added to the plan's", () => {
    expect(accepted(withEnv("NCCL_DEBUG", "INFO")).env).toMatchObject({ NCCL_DEBUG: "INFO" });
    expect(accepted(withEnv("constructor", "x")).env.constructor).toBe("x");
  });

  it.each([
    "NODE_RANK",
    "DIST_PORT",
    "RANK0_HOST",
    "SGLANG_API_KEY",
    "HF_TOKEN",
    "HF_HOME",
    "SGLANG_ENABLE_SPEC_V2",
    "TRITON_CACHE_DIR",
  ])("may not set %s, which is the plan's", (name) => {
    const [refusal] = refused(withEnv(name));
    expect(refusal).toMatchObject({ code: "EnvironmentOwned", field: "spec.server.extraEnv[0]" });
    expect(refusal?.message).toContain(name);
  });

  it("may choose NVLink between nodes only where the plan doesn't", () => {
    accepted(withEnv("NCCL_MNNVL_ENABLE", "0"));
    const gb300 = { variant: "MiMo-V2.5-Pro", hardware: "GB300" };
    expect(refused(withEnv("NCCL_MNNVL_ENABLE", "0", gb300))[0]).toMatchObject({ code: "EnvironmentOwned" });
  });
});

describe("the server", () => {
  it("takes its key from a Secret by the environment", () => {
    const plan = accepted({ ...pro, server: { apiKeySecret: { name: "api", key: "key" } } });
    expect(plan.secretEnv).toContainEqual({ name: "SGLANG_API_KEY", secret: "api", key: "key" });
    expect(plan.command.slice(-2)).toEqual(["--api-key", "$(SGLANG_API_KEY)"]);
  });

  it("listens where probes and Services reach it, under the name asked for", () => {
    const plan = accepted({ ...pro, server: { port: 8080, servedModelName: "mimo/pro" } });
    expect(plan).toMatchObject({ port: 8080, servedModelName: "mimo/pro" });
    expect(plan.command.join(" ")).toContain("--served-model-name mimo/pro");
    expect(plan.command.join(" ")).toContain("--host 0.0.0.0 --port 8080");
    expect(accepted(pro)).toMatchObject({ port: 30_000, servedModelName: "MiMo-V2.5-Pro" });
  });
});
