import fc from "fast-check";
import { z } from "zod";
import { isFull } from "../faults/scope.ts";

/**
 * Values that a schema nearly takes: mostly right, some just past a bound, of another type, or with a field that isn't
 * there. Right text comes from `samples`, documents that are accepted, by the place where it stands.
 */
export function nearly(schema: z.core.$ZodType, samples: readonly unknown[]): fc.Arbitrary<unknown> {
  const found = new Map<string, Set<string>>();
  for (const sample of samples) collectText(sample, "", found);
  const anyText = [...new Set([...found.values()].flatMap((texts) => [...texts]))];

  const text = (path: string) =>
    fc.oneof(
      { weight: 30, arbitrary: fc.constantFrom(...(found.get(path) ?? anyText)) },
      { weight: 1, arbitrary: fc.constantFrom(...anyText) },
      { weight: 1, arbitrary: awkwardText },
      { weight: 1, arbitrary: longText },
    );

  const build = (wrapped: z.core.$ZodType, path: string): fc.Arbitrary<unknown> =>
    fc.oneof({ weight: 80, arbitrary: right(wrapped, path) }, { weight: 1, arbitrary: ofAnotherType });

  const right = (schema: z.core.$ZodType, path: string): fc.Arbitrary<unknown> => {
    if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault)
      return right(schema.def.innerType, path);
    if (schema instanceof z.ZodObject) return object(schema, path);
    if (schema instanceof z.ZodArray) return fc.array(build(schema.element, `${path}[]`), { maxLength: 3 });
    if (schema instanceof z.ZodRecord)
      return fc.dictionary(text(`${path}{}`), build(schema.valueType, `${path}.*`), { maxKeys: 3 });
    if (schema instanceof z.ZodEnum) return choice(schema.options.map(String));
    if (schema instanceof z.ZodBoolean) return fc.boolean();
    if (schema instanceof z.ZodNumber) return whole(schema.minValue ?? 0, schema.maxValue ?? 0);
    if (schema instanceof z.ZodString) return text(path);
    throw new Error(`${path}: no values are known for ${schema._zod.def.type}`);
  };

  const object = (schema: z.ZodObject, path: string): fc.Arbitrary<unknown> => {
    const shape: Record<string, z.core.$ZodType> = schema.shape;
    const optional = Object.keys(shape).filter((key) => shape[key]?._zod.optin === "optional");
    const needed = Object.keys(shape).filter((key) => !optional.includes(key));
    const some = fc.record({
      chosen: fc.subarray(optional, { maxLength: Math.min(3, optional.length) }),
      forgotten: rarely(fc.subarray(needed)),
      invented: rarely(fc.constantFrom(["replica"], ["Name"])),
    });
    return some.chain(({ chosen, forgotten, invented }) => {
      const keys = [...needed.filter((key) => !forgotten.includes(key)), ...chosen];
      const fields = keys.map((key) => [key, build(shape[key] ?? z.never(), `${path}.${key}`)] as const);
      return fc.record(
        Object.fromEntries([...fields, ...invented.map((key) => [key, fc.constant(1)] as const)]),
      );
    });
  };

  return right(schema, "");
}

const rarely = (names: fc.Arbitrary<string[]>): fc.Arbitrary<string[]> =>
  fc.oneof({ weight: 40, arbitrary: fc.constant<string[]>([]) }, { weight: 1, arbitrary: names });

const choice = (values: readonly string[]) =>
  fc.oneof(
    { weight: 40, arbitrary: fc.constantFrom(...values) },
    { weight: 1, arbitrary: fc.constantFrom(...values.map((value) => value.toLowerCase())) },
  );

const whole = (minimum: number, maximum: number) =>
  fc.oneof(
    { weight: 30, arbitrary: fc.integer({ min: minimum, max: maximum }) },
    { weight: 4, arbitrary: fc.constantFrom(minimum, maximum) },
    { weight: 1, arbitrary: fc.constantFrom(minimum - 1, maximum + 1, minimum + 0.5, 1e20, "3") },
  );

const ofAnotherType = fc.constantFrom<unknown>(null, 1, "text", true, [], ["text"], {}, { text: "text" });

const awkwardCharacters = [..."aZ09-._/:@ '\"\\\n$é", "😀", "..", "//"];
/** What somebody writes who wants more than a field is for: to a shell, an option parser, a kubelet, a template, a terminal. */
const hostileText = fc.constantFrom(
  "'; reboot; '",
  "$(reboot)",
  "$(RANK0_HOST)",
  "$$(POD_NAME)",
  "{{ .Values.x }}",
  "--host",
  "-x",
  "a\nb: c",
  "__proto__",
  "constructor",
  "\u0000",
  "\u001b[2J",
  "\u202e",
  "../../etc/passwd",
);
const awkward = fc.string({ unit: fc.constantFrom(...awkwardCharacters), maxLength: 8 });
const awkwardText = isFull ? fc.oneof(awkward, hostileText) : awkward;

/** Just inside and outside the bounds that the schemas use, in characters of one and of two UTF-16 units. */
const longText = fc
  .tuple(
    fc.constantFrom(15, 63, 64, 71, 96, 128, 200, 253, 255, 300, 317, 512, 1024, 4096),
    fc.constantFrom(0, 1),
    fc.constantFrom("a", "/a", "😀"),
  )
  .map(([length, more, unit]) => [...unit.repeat(length)].slice(0, length + more).join(""));

function collectText(value: unknown, path: string, found: Map<string, Set<string>>): void {
  const note = (where: string, text: string) => found.set(where, (found.get(where) ?? new Set()).add(text));
  if (typeof value === "string") note(path, value);
  else if (Array.isArray(value)) for (const item of value) collectText(item, `${path}[]`, found);
  else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      note(`${path}{}`, key);
      collectText(item, `${path}.${key}`, found);
      if (typeof item === "string") note(`${path}.*`, item);
    }
  }
}
