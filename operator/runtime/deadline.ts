import type { Clock } from "./clock.ts";

export interface Deadline {
  /** Aborts when time is up or when a parent aborts, with the reason of whichever came first. */
  readonly signal: AbortSignal;
  /** Starts the time again from zero. */
  restart(): void;
  /** Releases the timer and the parents; must be called. */
  release(): void;
}

/**
 * A time limit joined with parent signals.
 * `AbortSignal.any` and `AbortSignal.timeout` are not used: they can't be restarted, don't follow the
 * injected clock, and leave one dependent signal per call on a parent that lives as long as the process.
 */
export function startDeadline(
  clock: Clock,
  milliseconds: number,
  parents: readonly (AbortSignal | undefined)[],
  timeoutReason: () => Error,
): Deadline {
  const controller = new AbortController();
  const expire = () => controller.abort(timeoutReason());
  let cancelTimer = clock.setTimeout(expire, milliseconds);
  const listeners = parents
    .filter((parent) => parent !== undefined)
    .map((parent) => {
      const listener = () => controller.abort(parent.reason);
      if (parent.aborted) listener();
      else parent.addEventListener("abort", listener, { once: true });
      return { parent, listener };
    });
  return {
    signal: controller.signal,
    restart: () => {
      cancelTimer();
      cancelTimer = clock.setTimeout(expire, milliseconds);
    },
    release: () => {
      cancelTimer();
      for (const { parent, listener } of listeners) parent.removeEventListener("abort", listener);
    },
  };
}
