import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hardware } from "../../../synth/catalogue/hardware.ts";
import { fp8BlockWidth, models } from "../../../synth/catalogue/models.ts";
import { refusalCodes } from "../../../synth/errors.ts";
import type { ServingPlan } from "../../../synth/serving-plan.ts";
import { platforms, specs } from "./arbitrary.ts";
import { planOf } from "./requests.ts";

const value = (plan: ServingPlan, option: string): string | undefined => {
  const at = plan.command.indexOf(option);
  return at < 0 ? undefined : plan.command[at + 1];
};
const number = (plan: ServingPlan, option: string): number | undefined => {
  const text = value(plan, option);
  return text === undefined ? undefined : Number(text);
};

/** Checks every accepted plan of many requests. */
const everyPlan = (check: (plan: ServingPlan) => void) =>
  fc.assert(
    fc.property(specs, platforms, (spec, platform) => {
      const result = planOf(spec, platform);
      fc.pre(result.accepted);
      check(result.plan);
    }),
    { numRuns: 100, maxSkipsPerRun: 50 },
  );

describe("every accepted plan satisfies what the server checks", () => {
  it("ranks fill the nodes, and data parallel ranks divide them", () => {
    everyPlan((plan) => {
      expect(plan.nodes * plan.gpusPerNode).toBe(plan.tensorParallel);
      expect(plan.gpusPerNode).toBeLessThanOrEqual(hardware[plan.hardware].gpusPerNode);
      expect(plan.tensorParallel % plan.dataParallel).toBe(0);
    });
  });

  it("a fused qkv_proj is split over ranks that its loader takes", () => {
    everyPlan((plan) => {
      const fused = models[plan.variant].fusedQkvRanks;
      if (fused === undefined) return;
      const ranks = plan.tensorParallel / plan.dataParallel;
      if (plan.runtime === "day0") expect(ranks).toBe(fused);
      else expect(fused % ranks).toBe(0);
    });
  });

  it("each rank's share of a prefill chunk is whole pages", () => {
    everyPlan((plan) => {
      const chunk = (number(plan, "--chunked-prefill-size") ?? Number.NaN) / plan.dataParallel;
      expect(chunk % (number(plan, "--page-size") ?? 1)).toBe(0);
    });
  });

  it("experts divide over their ranks, each slice in whole FP8 blocks", () => {
    everyPlan((plan) => {
      const { experts, expertWidth } = models[plan.variant];
      expect(experts % plan.expertParallel).toBe(0);
      expect(expertWidth % ((plan.tensorParallel / plan.expertParallel) * fp8BlockWidth)).toBe(0);
      if (plan.command.includes("deepep")) expect(plan.expertParallel).toBe(plan.tensorParallel);
    });
  });

  it("DeepEP's buffer holds a decoding step, and is no larger than the server takes", () => {
    everyPlan((plan) => {
      const buffer = Number(plan.env.SGLANG_DEEPEP_NUM_MAX_DISPATCH_TOKENS_PER_RANK ?? Number.NaN);
      expect(Number.isNaN(buffer)).toBe(!plan.command.includes("deepep"));
      if (Number.isNaN(buffer)) return;
      const requests = number(plan, "--max-running-requests") ?? 48;
      const tokens = number(plan, "--speculative-num-draft-tokens") ?? 1;
      expect(buffer).toBeLessThanOrEqual(1024);
      expect((requests / plan.dataParallel) * tokens).toBeLessThanOrEqual(buffer);
    });
  });

  it("EAGLE drafts one token more than its steps, never more steps than the checkpoint has MTP layers", () => {
    everyPlan((plan) => {
      const steps = number(plan, "--speculative-num-steps");
      expect(steps === undefined).toBe(!plan.command.includes("--speculative-algorithm"));
      if (steps === undefined) return;
      expect(steps).toBeLessThanOrEqual(models[plan.variant].mtpLayers);
      expect(number(plan, "--speculative-num-draft-tokens")).toBe(steps + 1);
      expect(value(plan, "--speculative-eagle-topk")).toBe("1");
    });
  });

  it("the sliding window ratio is one the server takes, and the context no longer than the checkpoint's", () => {
    everyPlan((plan) => {
      const ratio = number(plan, "--swa-full-tokens-ratio") ?? 0.8;
      expect(ratio).toBeGreaterThanOrEqual(0.1);
      expect(ratio).toBeLessThanOrEqual(1);
      expect(plan.contextLength).toBeLessThanOrEqual(models[plan.variant].maxContextLength);
      expect(number(plan, "--context-length")).toBe(plan.contextLength);
    });
  });

  it("weights and KV cache stay within the memory fraction, and a context that doesn't fit is never silent", () => {
    everyPlan((plan) => {
      const { weightsGibPerGpu, kvGibPerGpu, fits, tokensPerDataParallelRank } = plan.memory;
      const fraction = number(plan, "--mem-fraction-static") ?? Number.NaN;
      const room = fraction * hardware[plan.hardware].freeGpuMemoryGib;
      expect(weightsGibPerGpu + kvGibPerGpu).toBeLessThanOrEqual(room + 0.11);
      expect(fits).toBe(tokensPerDataParallelRank >= plan.contextLength);
      if (!fits) expect(plan.warnings.join("\n")).toMatch(/may not fit|memoryCheck is Warn/);
    });
  });

  it("nodes meet at rank 0 where there are several, and only then", () => {
    everyPlan((plan) => {
      expect(number(plan, "--nnodes")).toBe(plan.nodes > 1 ? plan.nodes : undefined);
      expect(value(plan, "--node-rank")).toBe(plan.nodes > 1 ? "$(NODE_RANK)" : undefined);
      expect(value(plan, "--dist-init-addr")).toBe(plan.nodes > 1 ? "$(RANK0_HOST):$(DIST_PORT)" : undefined);
    });
  });

  it("the server is reachable, observable and given time", () => {
    everyPlan((plan) => {
      expect(plan.command.slice(0, 2)).toEqual(["sglang", "serve"]);
      expect(value(plan, "--host")).toBe("0.0.0.0");
      expect(number(plan, "--port")).toBe(plan.hostPort ?? plan.port);
      expect(value(plan, "--served-model-name")).toBe(plan.servedModelName);
      for (const option of ["--trust-remote-code", "--enable-metrics"])
        expect(plan.command).toContain(option);
      expect(plan.startupSeconds).toBeGreaterThanOrEqual(1200);
      // Nothing inside the server ends a start that the startup probe still waits for.
      expect(number(plan, "--dist-timeout")).toBeGreaterThanOrEqual(plan.startupSeconds);
      expect(number(plan, "--watchdog-timeout")).toBeGreaterThanOrEqual(3600);
      expect(Number(plan.env.TORCH_NCCL_HEARTBEAT_TIMEOUT_SEC)).toBe(number(plan, "--watchdog-timeout"));
    });
  });
});

describe("planning", () => {
  it("never throws, and gives every reason a code of the table, a field and words", () => {
    fc.assert(
      fc.property(specs, platforms, (spec, platform) => {
        const result = planOf(spec, platform);
        if (result.accepted) return;
        for (const { code, field, message } of result.refusals) {
          expect(Object.keys(refusalCodes)).toContain(code);
          expect(field).toMatch(/^spec\./);
          expect(message.length).toBeGreaterThan(30);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("is deterministic, and its plan survives being stored", () => {
    fc.assert(
      fc.property(specs, platforms, (spec, platform) => {
        const first = planOf(spec, platform);
        expect(planOf(structuredClone(spec), structuredClone(platform))).toEqual(first);
        expect(JSON.parse(JSON.stringify(first))).toEqual(first);
      }),
    );
  });
});
