import type { Clock } from "../../../operator/runtime/clock.ts";

export interface FakeClock extends Clock {
  /** Moves time on, running due timers in order; between timers everything that was woken may run. */
  advance(milliseconds: number): Promise<void>;
  /** Moves time on without running timers: the process was suspended. */
  suspend(milliseconds: number): void;
  readonly timers: number;
}

/** Time that stands still until told to move. Starts at 2026-01-01T00:00:00Z. */
export function createFakeClock(): FakeClock {
  const epoch = Date.UTC(2026, 0, 1);
  let elapsed = 0;
  const timers = new Set<{ at: number; callback: () => void }>();

  return {
    now: () => epoch + elapsed,
    monotonic: () => elapsed,
    setTimeout: (callback, milliseconds) => {
      const timer = { at: elapsed + Math.max(0, milliseconds), callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    suspend: (milliseconds) => {
      elapsed += milliseconds;
    },
    advance: async (milliseconds) => {
      const end = elapsed + milliseconds;
      await settle();
      for (;;) {
        const due = [...timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        timers.delete(due);
        elapsed = Math.max(elapsed, due.at);
        due.callback();
        await settle();
      }
      elapsed = Math.max(elapsed, end);
      await settle();
    },
    get timers() {
      return timers.size;
    },
  };
}

/** Lets promises and immediates that are already due run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
