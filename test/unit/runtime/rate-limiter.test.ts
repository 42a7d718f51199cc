import { expect, test } from "vitest";
import { createRateLimiter } from "../../../operator/runtime/rate-limiter.ts";
import { createFakeClock } from "./fake-clock.ts";

test("a burst passes at once, the rest at the rate, in order of arrival", async () => {
  const clock = createFakeClock();
  const limiter = createRateLimiter(clock, { qps: 2, burst: 3 });
  const passed: string[] = [];
  for (let i = 0; i < 6; i += 1) void limiter.take().then(() => passed.push(`${i}@${clock.monotonic()}`));
  await clock.advance(5_000);
  expect(passed).toEqual(["0@0", "1@0", "2@0", "3@500", "4@1000", "5@1500"]);
});

test("who gives up waiting leaves the token to others", async () => {
  const clock = createFakeClock();
  const limiter = createRateLimiter(clock, { qps: 1, burst: 1 });
  await limiter.take();
  const impatient = new AbortController();
  const given = limiter.take(impatient.signal);
  impatient.abort(new Error("stopping"));
  await expect(given).rejects.toThrow("stopping");
  expect(limiter.tryTake()).toBe(false);
  await clock.advance(1_000);
  expect(limiter.tryTake()).toBe(true);
});

test("rest does not save up more than a burst", async () => {
  const clock = createFakeClock();
  const limiter = createRateLimiter(clock, { qps: 10, burst: 2 });
  await clock.advance(60_000);
  expect([1, 2, 3].map(() => limiter.tryTake())).toEqual([true, true, false]);
});
