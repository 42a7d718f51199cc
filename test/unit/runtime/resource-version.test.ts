import fc from "fast-check";
import { expect, test } from "vitest";
import { compareResourceVersions } from "../../../operator/runtime/resource-version.ts";

test("versions order as integers of any length", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 80n }), fc.bigInt({ min: 0n, max: 2n ** 80n }), (a, b) => {
      expect(Math.sign(compareResourceVersions(String(a), String(b)))).toBe(a < b ? -1 : a > b ? 1 : 0);
    }),
  );
});

test("a version that is not an integer is refused with the reason", () => {
  expect(() => compareResourceVersions("12", "abc")).toThrow(/"abc" is not a decimal integer/);
});
