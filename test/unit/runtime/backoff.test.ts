import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffSeconds } from "../../../operator/runtime/backoff.ts";

test("a delay doubles with every failure, stays under its cap and never loses its jitter", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (failures, luck) => {
        const policy = { baseSeconds: 0.5, maxSeconds: 60, jitter: 0.2 };
        const delay = backoffSeconds(policy, failures, () => luck);
        expect(delay).toBeCloseTo(Math.min(60, 0.5 * 2 ** (failures - 1)) * (1 + 0.2 * luck));
        expect(delay).toBeLessThanOrEqual(72);
      },
    ),
  );
});
