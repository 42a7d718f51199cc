import fc from "fast-check";
import { expect, test } from "vitest";
import { share } from "../../../operator/runtime/share.ts";

/** Small, so that parts of two of them are often equal. */
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<unknown>(null, true, 0, 1, "", "a", "b"),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "c", "__proto__", "length"), tie("value"), { maxKeys: 3 }),
  ),
})).value;

const parsed = (text: string): unknown => JSON.parse(text);

test("whatever it is like, an object says the same as before, and so does what it is like", () => {
  fc.assert(
    fc.property(json, json, (one, other) => {
      const [now, sample] = [JSON.stringify(one), JSON.stringify(other)];
      const like = parsed(sample);
      expect(JSON.stringify(share(parsed(now), like))).toBe(now);
      expect(JSON.stringify(like)).toBe(sample);
    }),
  );
});

test("what is equal is held once", () => {
  fc.assert(
    fc.property(json, json, (part, other) => {
      const [text, rest] = [JSON.stringify(part), JSON.stringify(other)];
      const sample = { a: parsed(text), b: [parsed(text), 1] };
      expect(share({ a: parsed(text), b: [parsed(text), 1] }, sample)).toBe(sample);
      const now = share({ a: parsed(text), b: [parsed(text), 2, parsed(rest)] }, sample);
      expect(now.a).toBe(sample.a);
      expect(now.b[0]).toBe(sample.b[0]);
    }),
  );
});
