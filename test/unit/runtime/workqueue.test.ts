import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createWorkQueue, runWorkers, type WorkQueue } from "../../../operator/runtime/workqueue.ts";
import { createFakeClock, type FakeClock, settle } from "./fake-clock.ts";

const backoff = { baseSeconds: 1, maxSeconds: 60, jitter: 0 };

function setUp(): { clock: FakeClock; queue: WorkQueue } {
  const clock = createFakeClock();
  return { clock, queue: createWorkQueue({ clock, random: () => 0, backoff }) };
}

test("a key added many times waits once", async () => {
  const { queue } = setUp();
  for (let i = 0; i < 5; i += 1) queue.add("a");
  expect(queue.length).toBe(1);
});

test("a key added while it is worked on is worked on again, after the first work is done", async () => {
  const { queue } = setUp();
  queue.add("a");
  expect(await queue.take()).toBe("a");
  queue.add("a");
  expect(queue.length).toBe(0);
  queue.done("a");
  expect(queue.length).toBe(1);
});

test("user keys go first, and a resync key asked for by a user moves up", async () => {
  const { queue } = setUp();
  queue.add("r1", "resync");
  queue.add("r2", "resync");
  queue.add("u1");
  queue.add("r2", "user");
  expect([await queue.take(), await queue.take(), await queue.take()]).toEqual(["u1", "r2", "r1"]);
});

test("a resync key has its turn under a constant stream of user keys", async () => {
  const { queue } = setUp();
  queue.add("resync", "resync");
  const taken: (string | undefined)[] = [];
  for (let i = 0; i < 30; i += 1) {
    queue.add(`u${i}`);
    queue.add(`v${i}`);
    taken.push(await queue.take());
  }
  expect(taken).toContain("resync");
});

test("of several delays for a key the earliest counts", async () => {
  const { clock, queue } = setUp();
  queue.addAfter("a", 60);
  queue.addAfter("a", 5);
  queue.addAfter("a", 30);
  await clock.advance(4_999);
  expect(queue.length).toBe(0);
  await clock.advance(1);
  expect(queue.length).toBe(1);
  expect(clock.timers).toBe(0);
});

test("a failing key backs off exponentially, per key, until it is forgotten", () => {
  const { queue } = setUp();
  expect([1, 2, 3, 4].map(() => queue.addRateLimited("bad"))).toEqual([1, 2, 4, 8]);
  expect(queue.addRateLimited("other")).toBe(1);
  queue.forget("bad");
  expect(queue.addRateLimited("bad")).toBe(1);
  expect(queue.addRateLimited("other", 45)).toBe(45);
});

describe("shutting down", () => {
  test("drops what waits, wakes idle workers, and drains what is in work", async () => {
    const { clock, queue } = setUp();
    queue.add("in-work");
    const key = await queue.take();
    const idle = queue.take();
    const drained = queue.shutDown().then(() => "drained");
    queue.add("late");
    queue.addAfter("later", 1);
    await clock.advance(10_000);
    expect(await idle).toBeUndefined();
    expect(await Promise.race([drained, settle().then(() => "not yet")])).toBe("not yet");
    queue.done(key ?? "");
    expect(await drained).toBe("drained");
    expect(await queue.take()).toBeUndefined();
    expect(queue.length).toBe(0);
  });
});

test("whatever the schedule, a key never has two workers, and every add is followed by work that began after it", async () => {
  const key = fc.constantFrom("a", "b", "c", "d");
  const step = fc.oneof(
    fc.record({
      kind: fc.constant("add" as const),
      key,
      priority: fc.constantFrom("user" as const, "resync" as const),
    }),
    fc.record({ kind: fc.constant("addAfter" as const), key, seconds: fc.nat(20) }),
    fc.record({ kind: fc.constant("retry" as const), key }),
    fc.record({ kind: fc.constant("advance" as const), seconds: fc.nat(10) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 4 }),
      async (steps, workers) => {
        const { clock, queue } = setUp();
        const atWork = new Set<string>();
        const lastStart = new Map<string, number>();
        const lastAdd = new Map<string, number>();
        let moment = 0;
        let workLength = 0;
        const running = runWorkers(queue, workers, async (taken) => {
          expect(atWork.has(taken)).toBe(false);
          atWork.add(taken);
          moment += 1;
          lastStart.set(taken, moment);
          workLength = (workLength + 3) % 7;
          await new Promise<void>((resolve) => clock.setTimeout(resolve, workLength * 1000));
          atWork.delete(taken);
        });
        for (const each of steps) {
          moment += 1;
          if (each.kind === "advance") await clock.advance(each.seconds * 1000);
          else {
            lastAdd.set(each.key, moment);
            if (each.kind === "add") queue.add(each.key, each.priority);
            if (each.kind === "addAfter") queue.addAfter(each.key, each.seconds);
            if (each.kind === "retry") queue.addRateLimited(each.key);
          }
        }
        await clock.advance(600_000);
        for (const [added, at] of lastAdd) expect(lastStart.get(added)).toBeGreaterThan(at);
        expect(queue.length).toBe(0);
        await queue.shutDown();
        await running;
      },
    ),
    { numRuns: 60 },
  );
});
