import type { Random } from "./clock.ts";

export interface BackoffPolicy {
  readonly baseSeconds: number;
  readonly maxSeconds: number;
  /** Share of the delay added at random, so that many clients don't come back together. */
  readonly jitter: number;
}

/** Seconds to wait after the `failures`-th failure in a row (1 = first): base · 2^(failures−1), capped, plus jitter. */
export function backoffSeconds(policy: BackoffPolicy, failures: number, random: Random): number {
  const exponential = policy.baseSeconds * 2 ** Math.min(Math.max(failures, 1) - 1, 30);
  return Math.min(exponential, policy.maxSeconds) * (1 + policy.jitter * random());
}
