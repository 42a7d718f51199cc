import { describe, expect, test } from "vitest";
import { differences, meaningOf } from "./meaning.ts";
import { expanded, parseCommands, type Values } from "./parser.ts";
import type { WheelVersion } from "./wheels.ts";

async function parsed(version: WheelVersion, ...args: readonly string[]): Promise<Values> {
  const [verdict] = await parseCommands(version, [
    { id: "command", argv: ["sglang", "serve", "--model-path", "m", ...args] },
  ]);
  if (verdict === undefined || verdict.verdict === "unparsed")
    throw new Error(verdict?.error ?? "no verdict");
  return verdict.values;
}

describe("the meaning of a command", () => {
  test("is the same in every version's spelling", async () => {
    const older = await parsed(
      "0.5.11",
      ...["--tp", "16", "--dp", "2", "--enable-dp-attention", "--cuda-graph-max-bs", "64", "--pp-size", "1"],
      ...["--speculative-algo", "EAGLE", "--enable-multi-layer-eagle", "--swa-full-tokens-ratio", "0.8"],
      ...["--moe-a2a-backend", "deepep", "--ep", "16"],
      ...["--model-loader-extra-config", '{"num_threads": 64, "enable_multithread_load": "true"}'],
    );
    const newest = await parsed(
      "0.5.23",
      ...["--tensor-parallel-size", "16", "--attn-dp-size", "2", "--cuda-graph-max-bs-decode", "64"],
      ...[
        "--speculative-algorithm",
        "EAGLE",
        "--swa-full-tokens-ratio",
        "0.8",
        "--moe-a2a-backend",
        "deepep",
      ],
      ...["--model-loader-extra-config", '{"enable_multithread_load": true, "num_threads": 64}'],
    );
    expect(differences(meaningOf(newest), meaningOf(older))).toEqual([]);
  });

  test("tells attention groups from replicas", async () => {
    const groups = meaningOf(
      await parsed("0.5.18", "--tp-size", "8", "--dp-size", "2", "--enable-dp-attention"),
    );
    const replicas = meaningOf(await parsed("0.5.18", "--tp-size", "8", "--dp-size", "2"));
    expect(differences(groups, replicas)).toEqual([
      { option: "attn_dp_size", ours: 2, published: undefined },
      { option: "dp_size", ours: undefined, published: 2 },
    ]);
  });

  test("drops DP attention over one group, as the server does", async () => {
    expect(meaningOf(await parsed("0.5.18", "--enable-dp-attention")).options).toEqual({ model_path: "m" });
  });

  test("includes the environment", () => {
    const ours = meaningOf({ tp_size: 8 }, { NCCL_MNNVL_ENABLE: "1" });
    const published = meaningOf({ tp_size: 4 }, { NCCL_MNNVL_ENABLE: "0" });
    expect(differences(ours, published)).toEqual([
      { option: "tp_size", ours: 8, published: 4 },
      { option: "env NCCL_MNNVL_ENABLE", ours: "1", published: "0" },
    ]);
  });
});

test("argv is expanded as the kubelet expands it", () => {
  const argv = ["$(NODE_RANK)", "tcp://$(HOST):$(PORT)", "$$(NODE_RANK)", "$(MISSING)", "$HOME"];
  expect(expanded({ argv, env: { NODE_RANK: "0", HOST: "mimo-0", PORT: "20000" } })).toEqual([
    "0",
    "tcp://mimo-0:20000",
    "$(NODE_RANK)",
    "$(MISSING)",
    "$HOME",
  ]);
});
