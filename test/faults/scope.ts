import { type RunnerTestCase, vi } from "vitest";

/** `npm run test:faults` injects every fault everywhere; a file that is run by itself a sample. */
export const isFull = process.env.FAULTS === "full";

// Hundreds of deployments at once take their time on two cores.
vi.setConfig({ testTimeout: isFull ? 3_600_000 : 900_000 });

declare module "vitest" {
  interface TaskMeta {
    /** Faults that were injected, by row of the catalogue; under 0 requests that were drawn. */
    points?: Record<number, number>;
  }
}

/** How many cases a property is tried on. */
export const cases = (sample: number, all: number): number => (isFull ? all : sample);

/** Notes for the table of results that faults were injected. */
export function points(task: RunnerTestCase, row: number, count = 1): void {
  task.meta.points = { ...task.meta.points, [row]: (task.meta.points?.[row] ?? 0) + count };
}

/** Draws that a failure's message can repeat: `PROPERTY_SEED=n` in front of the command. */
export const seed = Number(process.env.PROPERTY_SEED ?? 20_261_124);

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seeded(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
