import { type Clock, sleep } from "./clock.ts";

export interface RateLimiter {
  /** Waits for a token, in order of arrival. */
  take(signal?: AbortSignal): Promise<void>;
  /** Takes a token if one is there now. */
  tryTake(): boolean;
}

/** A token bucket: `burst` at once, then `qps` per second. */
export function createRateLimiter(clock: Clock, { qps, burst }: { qps: number; burst: number }): RateLimiter {
  // May go negative: a waiter has reserved the token it waits for, which keeps waiters in order.
  let tokens = burst;
  let refilledAt = clock.monotonic();

  function refill(): void {
    const now = clock.monotonic();
    tokens = Math.min(burst, tokens + ((now - refilledAt) / 1000) * qps);
    refilledAt = now;
  }

  return {
    tryTake: () => {
      refill();
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
    take: async (signal) => {
      refill();
      tokens -= 1;
      if (tokens >= 0) return;
      try {
        await sleep(clock, (-tokens / qps) * 1000, signal);
      } catch (error) {
        tokens += 1;
        throw error;
      }
    },
  };
}
