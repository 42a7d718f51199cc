import { Writable } from "node:stream";
import { pino } from "pino";
import { afterEach, describe, expect, test } from "vitest";
import {
  type ControllerOptions,
  type Reconcile,
  type ReconcileOutcome,
  runController,
} from "../../../operator/runtime/controller.ts";
import { ApiError, NotLeaderError } from "../../../operator/runtime/errors.ts";
import { createWorkQueue, type WorkQueue } from "../../../operator/runtime/workqueue.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";

interface Running {
  readonly clock: FakeClock;
  readonly queue: WorkQueue;
  readonly stop: AbortController;
  readonly abort: AbortController;
  readonly log: Record<string, unknown>[];
  readonly outcomes: ReconcileOutcome[];
  readonly ended: Promise<void>;
}

let running: Running | undefined;
afterEach(async () => {
  running?.abort.abort();
  await running?.ended;
});

function start(reconcile: Reconcile, overrides: Partial<ControllerOptions> = {}): Running {
  const clock = createFakeClock();
  const log: Record<string, unknown>[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      log.push(JSON.parse(chunk.toString("utf8")));
      done();
    },
  });
  const backoff = { baseSeconds: 1, maxSeconds: 60, jitter: 0 };
  const queue = createWorkQueue({ clock, random: () => 0, backoff });
  const [stop, abort] = [new AbortController(), new AbortController()];
  const outcomes: ReconcileOutcome[] = [];
  const ended = runController({
    queue,
    workers: 2,
    reconcile,
    resync: { periodSeconds: 3600, keys: () => [] },
    clock,
    random: () => 0.5,
    log: pino({ level: "debug" }, sink),
    observer: { started: () => undefined, finished: (outcome) => void outcomes.push(outcome) },
    stop: stop.signal,
    drainSeconds: 20,
    abort: abort.signal,
    ...overrides,
  });
  running = { clock, queue, stop, abort, log, outcomes, ended };
  return running;
}

test("a key is reconciled, and again after the time it asked for", async () => {
  const times: number[] = [];
  const { clock, queue, outcomes } = start(async () => {
    times.push(clock.monotonic());
    return times.length === 1 ? { requeueAfterSeconds: 30 } : {};
  });
  queue.add("ns/pro");
  await clock.advance(120_000);
  expect(times).toEqual([0, 30_000]);
  expect(outcomes).toEqual(["requeue_after", "success"]);
});

test("a failing key is retried with growing delays, logged with its key and one id per reconcile, and hurts no other", async () => {
  const times: number[] = [];
  const good: number[] = [];
  const { clock, queue, log } = start(async (key) => {
    if (key === "ns/good") {
      good.push(clock.monotonic());
      return {};
    }
    times.push(clock.monotonic());
    throw new Error("boom");
  });
  queue.add("ns/bad");
  await clock.advance(7_000);
  queue.add("ns/good");
  await clock.advance(0);
  expect(times).toEqual([0, 1_000, 3_000, 7_000]);
  expect(good).toHaveLength(1);
  expect(log[0]).toMatchObject({
    key: "ns/bad",
    reconcileId: "80000000",
    err: { message: "boom" },
    retries: 1,
    msg: "reconcile failed, trying again",
  });
});

test("success starts the backoff anew", async () => {
  const times: number[] = [];
  const { clock, queue } = start(async () => {
    times.push(clock.monotonic());
    if (times.length !== 3) throw new Error("boom");
    return { requeueAfterSeconds: 10 };
  });
  queue.add("k");
  await clock.advance(14_000);
  expect(times).toEqual([0, 1_000, 3_000, 13_000, 14_000]);
});

test("a conflict is retried quietly", async () => {
  const conflict = {
    code: 409,
    reason: "Conflict",
    message: "modified",
    retryAfterSeconds: undefined,
    causes: [],
  };
  const { clock, queue, log } = start(async () => {
    throw new ApiError("update pods ns/a", conflict);
  });
  queue.add("k");
  await clock.advance(0);
  expect(log[0]).toMatchObject({ level: 30, msg: "reconcile met a conflict, trying again" });
});

test("a server that asks for patience gets it", async () => {
  const times: number[] = [];
  const busy = { code: 429, reason: "TooManyRequests", message: "busy", retryAfterSeconds: 40, causes: [] };
  const { clock, queue } = start(async () => {
    times.push(clock.monotonic());
    throw new ApiError("list pods", busy);
  });
  queue.add("k");
  await clock.advance(40_000);
  expect(times).toEqual([0, 40_000]);
});

test("every key is looked at again in each resync period", async () => {
  const seen: string[] = [];
  const { clock } = start(
    async (key) => {
      seen.push(key);
      return {};
    },
    { resync: { periodSeconds: 60, keys: () => ["a", "b"] } },
  );
  await clock.advance(64_000);
  expect(seen).toEqual(["a", "b"]);
  await clock.advance(64_000);
  expect(seen).toEqual(["a", "b", "a", "b"]);
});

describe("stopping", () => {
  test("gracefully: work in progress is finished, nothing new is begun", async () => {
    const finished: string[] = [];
    const { clock, queue, stop, ended } = start(async (key, signal) => {
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 5_000));
      expect(signal.aborted).toBe(false);
      finished.push(key);
      return {};
    });
    queue.add("a");
    await clock.advance(1_000);
    stop.abort();
    queue.add("b");
    await clock.advance(4_000);
    await ended;
    expect(finished).toEqual(["a"]);
    expect(clock.timers).toBe(0);
  });

  test("gracefully, but not for ever: after the drain time work is aborted", async () => {
    const { clock, queue, stop, ended } = start(
      (_, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    );
    queue.add("a");
    await clock.advance(0);
    stop.abort();
    await clock.advance(20_000);
    await ended;
  });

  test("at once when leadership is lost, and what that breaks is no error", async () => {
    const { clock, queue, abort, ended, log } = start(
      (_, signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(new NotLeaderError("apply pods ns/a"))),
        ),
    );
    queue.add("a");
    await clock.advance(0);
    abort.abort(new Error("lost"));
    await ended;
    expect(log.map((line) => line.level)).toEqual([30]);
  });
});
