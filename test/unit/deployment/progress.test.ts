import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Group, groupState, percentLoaded } from "../../../operator/deployment/groups.ts";
import { groupProgress, readProgress } from "../../../operator/deployment/progress.ts";
import { group, type PodState } from "./fixtures.ts";

const at = "[2026-11-22 09:14:07 TP0]";
const begin = `${at} Load weight begin. avail mem=78.68 GB`;
const end = `${at} Load weight end. elapsed=512.20 s, type=MiMoV2ForCausalLM, dtype=torch.bfloat16, avail mem=15.93 GB, mem usage=62.75 GB.`;
const shards = (percent: number, description = "Multi-thread loading shards"): string =>
  `${description}: ${String(percent).padStart(3)}% Completed | ${percent}/100 [00:12<00:15,  1.40s/it]`;
const read = (...lines: string[]) => readProgress(lines.join("\n"));

describe("the log of a starting server", () => {
  test.each([
    ["0.5.7, a line for each shard", `${begin}\n\n${shards(0)}\n\n${shards(47)}\n`, 45],
    ["0.5.11, one line that is drawn again and again", `${begin}\n\r${shards(0)}\r${shards(47)}`, 45],
    ["of one thread", `${begin}\r${shards(81, "Loading safetensors checkpoint shards")}`, 80],
    ["of Run:ai's streamer", shards(12, "Loading safetensors using Runai Model Streamer"), 10],
    ["of a bar below another", `\n\r${shards(63)}\u001b[A`, 60],
    ["of a tail that began in the middle", `pleted | 4/9 [00:1\r${shards(50)}`, 50],
    ["of all shards", `${begin}\r${shards(100)}\n`, 100],
  ])("tells the percentage: %s", (_, log, percent) => {
    expect(readProgress(log)).toEqual({ phase: "Loading", percent });
  });

  test("tells that weights are loaded before it tells how many", () => {
    expect(read(begin)).toEqual({ phase: "Loading" });
  });

  test("has no bar on other nodes than the first: the page cache's slowest reader stands in", () => {
    const fetched = (rank: number, percent: number) =>
      `[2026-11-22 09:15:00 TP${8 + rank}] Rank ${rank}: prefetching checkpoint files: ${percent}% (${percent / 10}/10)`;
    const log = [begin, fetched(0, 10), fetched(1, 10), fetched(0, 30), fetched(1, 20)];
    expect(read(...log)).toEqual({ phase: "Loading", percent: 20 });
    expect(read(...log, shards(5))).toEqual({ phase: "Loading", percent: 5 });
    expect(read(...log, end, fetched(1, 100))).toEqual({ phase: "Loading", percent: 100 });
  });

  test("speaks for each GPU: one that has its weights does not stand for the others", () => {
    const of = (line: string, rank: number) => line.replace("TP0", `TP${rank}`);
    const begins = [0, 1, 2].map((rank) => of(begin, rank));
    expect(read(...begins, of(end, 2))).toEqual({ phase: "Loading" });
    expect(read(...begins, shards(60), of(end, 2))).toEqual({ phase: "Loading", percent: 60 });
    expect(read(...begins, of(end, 2), of(end, 0), of(end, 1))).toEqual({ phase: "Loading", percent: 100 });
  });

  test.each([
    "Capture cuda graph begin. This can take up to several minutes. avail mem=14.02 GB",
    "Capture target verify CUDA graph begin. backend=full, num_tokens_per_req=4, avail mem=14.02 GB",
    "Capture draft extend cuda graph begin (step 0). This can take up to several minutes. avail mem=9.00 GB",
    "Capture piecewise CUDA graph begin. avail mem=14.02 GB",
  ])("tells that graphs are captured: %s", (line) => {
    expect(read(begin, shards(100), end, `${at} ${line}`)).toEqual({ phase: "CapturingGraphs" });
  });

  test("tells so by the bar of the graphs alone", () => {
    expect(
      readProgress("\rCapturing batches (bs=48 avail_mem=13.11 GB):  30%|███   | 6/20 [00:08<00:19]"),
    ).toEqual({
      phase: "CapturingGraphs",
    });
  });

  test("tells of the draft model after the graphs of the first: what was said last counts", () => {
    const graphs = `${at} Capture cuda graph begin. avail mem=14.02 GB`;
    expect(read(begin, shards(100), end, graphs, begin)).toEqual({ phase: "Loading" });
    expect(read(begin, shards(100), end, graphs, begin, shards(33))).toEqual({
      phase: "Loading",
      percent: 30,
    });
  });

  test("tells nothing before it loads", () => {
    expect(readProgress("")).toBeUndefined();
    expect(read(`${at} Init torch distributed begin.`, "Downloading shards: 40% Completed")).toBeUndefined();
  });

  test("may be anything at all, and long", () => {
    fc.assert(
      fc.property(fc.string(), (noise) => {
        const progress = readProgress(noise);
        expect(
          progress === undefined || progress.phase === "Loading" || progress.phase === "CapturingGraphs",
        ).toBe(true);
      }),
    );
    const percent = readProgress(shards(999));
    expect(percent).toEqual({ phase: "Loading", percent: 100 });
    const huge = `${"loading a ".repeat(300_000)}\r${"Capture ".repeat(300_000)}\n`;
    expect(readProgress(`${huge}${shards(50)}\n${"x".repeat(1_000_000)}`)).toEqual({
      phase: "Loading",
      percent: 50,
    });
  });
});

describe("a group", () => {
  const told = (pods: readonly PodState[], progress: Group["progress"]) => {
    const made = { ...group(pods), progress };
    return [groupState(made), percentLoaded(made)];
  };

  test("shows it once all its ranks run, and until all are Ready", () => {
    const [a, b] = [{ uid: "a" }, { uid: "b" }];
    expect(told([a, b], undefined)).toEqual(["Starting", undefined]);
    expect(told([a, b], { phase: "Loading" })).toEqual(["Loading", undefined]);
    expect(told([a, b], { phase: "Loading", percent: 45 })).toEqual(["Loading", 45]);
    expect(told([a, b], { phase: "CapturingGraphs" })).toEqual(["CapturingGraphs", undefined]);
    expect(told([a, { ...b, gated: true }], { phase: "Loading", percent: 45 })).toEqual([
      "Forming",
      undefined,
    ]);
    const ready = [a, b].map((each) => ({ ...each, ready: true }));
    expect(told(ready, { phase: "Loading", percent: 95 })).toEqual(["Ready", undefined]);
  });

  test("is as far as its slowest rank that says something", () => {
    expect(groupProgress([undefined, undefined])).toBeUndefined();
    expect(
      groupProgress([{ phase: "Loading", percent: 60 }, { phase: "Loading", percent: 35 }, undefined]),
    ).toEqual({
      phase: "Loading",
      percent: 35,
    });
    expect(groupProgress([{ phase: "CapturingGraphs" }, { phase: "Loading", percent: 95 }])).toEqual({
      phase: "Loading",
      percent: 95,
    });
    expect(groupProgress([{ phase: "Loading", percent: 40 }, { phase: "Loading" }])).toEqual({
      phase: "Loading",
      percent: 40,
    });
    expect(groupProgress([{ phase: "CapturingGraphs" }, undefined])).toEqual({ phase: "CapturingGraphs" });
  });
});
