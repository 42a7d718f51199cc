import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { labels } from "../../../charts/names.ts";
import { followProgress, type ProgressFollower } from "../../../operator/deployment/follow-progress.ts";
import type { Pod } from "../../../operator/deployment/objects.ts";
import type { LogOptions } from "../../../operator/runtime/client-api.ts";
import { ApiError } from "../../../operator/runtime/errors.ts";
import type { ObjectRef } from "../../../operator/runtime/paths.ts";
import { createFakeClock, type FakeClock } from "../runtime/fake-clock.ts";
import { type PodState, pod } from "./fixtures.ts";

const bar = (percent: number): string =>
  `Multi-thread loading shards: ${percent}% Completed | 1/9 [00:01<00:09]`;

let clock: FakeClock;
let pods: Pod[];
let stop: AbortController;
let asked: { at: number; pod: string; options: LogOptions }[];
let told: string[];
let warnings: string[];
let answer: (ref: ObjectRef) => string | Error;
let follower: ProgressFollower;

beforeEach(() => {
  clock = createFakeClock();
  pods = [];
  stop = new AbortController();
  asked = [];
  told = [];
  warnings = [];
  answer = () => bar(10);
  follower = followProgress({
    client: {
      log: async (ref, options) => {
        asked.push({ at: clock.monotonic() / 1000, pod: ref.name, options });
        const said = answer(ref);
        if (said instanceof Error) throw said;
        return said;
      },
    },
    pods: { list: () => pods },
    clock,
    log: pino({ level: "warn" }, { write: (line: string) => void warnings.push(line) }),
    signal: stop.signal,
    onProgress: (deployment) => told.push(deployment),
  });
});
afterEach(() => stop.abort());

/** A pod of this name and namespace, whose server runs and has not started yet. */
function starting(name: string, state: Partial<PodState> = {}, namespace = "team-a"): Pod {
  const made = pod(0, { uid: name, ...state });
  return { ...made, metadata: { ...made.metadata, name, namespace, labels: { [labels.deployment]: name } } };
}
const started = (made: Pod): Pod => ({
  ...made,
  status: {
    ...made.status,
    containerStatuses: made.status?.containerStatuses?.map((each) => ({ ...each, started: true })) ?? [],
  },
});
const forbidden = (): Error =>
  new ApiError("get pods/log", {
    code: 403,
    reason: "Forbidden",
    message: "no",
    retryAfterSeconds: undefined,
    causes: [],
  });

describe("logs are read", () => {
  test("of ranks that start, and of no others", async () => {
    pods = [
      starting("starting"),
      starting("ready", { ready: true }),
      starting("terminating", { terminating: true }),
      starting("gated", { gated: true }),
      started(starting("busy")),
    ];
    await clock.advance(30_000);
    expect(new Set(asked.map((each) => each.pod))).toEqual(new Set(["starting"]));
  });

  test("of one rank every 10 s, and only their end", async () => {
    pods = [starting("slow")];
    await clock.advance(35_000);
    expect(asked.map(({ at }) => at)).toEqual([2, 12, 22, 32]);
    expect(asked[0]?.options).toMatchObject({ container: "sglang", tailLines: 200, limitBytes: 256 * 1024 });
  });

  test("at a bounded rate together, each rank in its turn", async () => {
    pods = Array.from({ length: 200 }, (_, index) => starting(`rank-${index}`));
    await clock.advance(60_000);
    // A burst of 10, then 5 in a second.
    expect(asked.length).toBeLessThanOrEqual(10 + 5 * 60);
    const times = new Map<string, number>();
    for (const each of asked) times.set(each.pod, (times.get(each.pod) ?? 0) + 1);
    expect(times.size).toBe(200);
    expect(Math.max(...times.values()) - Math.min(...times.values())).toBeLessThanOrEqual(1);
  });

  test("no more in a namespace that refuses, for ten minutes, and that is said once", async () => {
    pods = [
      starting("closed-0", {}, "closed"),
      starting("closed-1", {}, "closed"),
      starting("open", {}, "open"),
    ];
    answer = ({ namespace }) => (namespace === "closed" ? forbidden() : bar(20));
    await clock.advance(2_000);
    const first = asked.filter(({ pod }) => pod.startsWith("closed")).length;
    await clock.advance(590_000);
    expect(asked.filter(({ pod }) => pod.startsWith("closed"))).toHaveLength(first);
    expect(asked.filter(({ pod }) => pod === "open").length).toBeGreaterThan(50);
    await clock.advance(30_000);
    expect(asked.filter(({ pod }) => pod.startsWith("closed")).length).toBeGreaterThan(first);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("mimo-operator-logs");
    expect(warnings[0]).toContain('"namespace":"closed"');
  });
});

describe("what they say", () => {
  test("is told when it is news, in steps of 5 percent", async () => {
    const rank = starting("slow");
    pods = [rank];
    let percent = 10;
    answer = () => bar(percent);
    await clock.advance(2_000);
    expect(told).toEqual(["team-a/slow"]);
    percent = 14;
    await clock.advance(10_000);
    expect(told).toEqual(["team-a/slow"]);
    percent = 15;
    await clock.advance(10_000);
    expect(told).toEqual(["team-a/slow", "team-a/slow"]);
    expect(follower.of(rank)).toEqual({ phase: "Loading", percent: 15 });
  });

  test("holds through a tail without a word of it and through a kubelet that doesn't answer", async () => {
    const rank = starting("slow");
    pods = [rank];
    await clock.advance(2_000);
    answer = () => "DeepGEMM warmup";
    await clock.advance(10_000);
    answer = () => new Error("connection refused");
    await clock.advance(10_000);
    expect(follower.of(rank)).toEqual({ phase: "Loading", percent: 10 });
    expect({ told, warnings }).toEqual({ told: ["team-a/slow"], warnings: [] });
  });

  test("is forgotten with the container, and once the rank is Ready", async () => {
    pods = [starting("rank")];
    await clock.advance(2_000);
    answer = () => "";
    pods = [starting("rank", { restarts: 1 })];
    await clock.advance(4_000);
    expect(pods[0] && follower.of(pods[0])).toBeUndefined();
    answer = () => bar(90);
    await clock.advance(10_000);
    expect(pods[0] && follower.of(pods[0])).toEqual({ phase: "Loading", percent: 90 });
    const loaded = pods[0];
    pods = [starting("rank", { restarts: 1, ready: true })];
    await clock.advance(4_000);
    expect(loaded && follower.of(loaded)).toBeUndefined();
  });
});
