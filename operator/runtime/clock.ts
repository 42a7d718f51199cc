/** Time as the runtime sees it, passed in so that tests own it. */
export interface Clock {
  /** Wall time in milliseconds since the epoch: for timestamps only, it may jump. */
  now(): number;
  /** Milliseconds that never jump: for every duration, deadline and age. */
  monotonic(): number;
  /** Runs `callback` once after `milliseconds`, at once when they are negative; the result cancels it. */
  setTimeout(callback: () => void, milliseconds: number): () => void;
}

/** Number in [0, 1), as `Math.random`. */
export type Random = () => number;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback, milliseconds) => {
    const timer = setTimeout(callback, Math.max(0, milliseconds));
    return () => clearTimeout(timer);
  },
};

/** Resolves after `milliseconds`; rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Like `sleep`, but an abort only cuts it short: for loops that test the signal themselves. */
export async function pause(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const finish = () => {
      cancel();
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = clock.setTimeout(finish, milliseconds);
    signal.addEventListener("abort", finish, { once: true });
  });
}
