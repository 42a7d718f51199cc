import { describe, expect, test } from "vitest";
import { z } from "zod";
import { int32, labelMap, listByKey, setOf, text, withRules, words } from "../../../crds/schema.ts";
import { structuralSchema } from "../../../crds/structural.ts";

const field = (schema: z.ZodType) => structuralSchema(z.object({ field: schema }));

describe("structuralSchema refuses, naming the path,", () => {
  test.each<[string, z.ZodType, RegExp]>([
    ["a union", z.union([z.int(), words(5)]), /\.field uses anyOf: use optional members/],
    [
      "a union told apart by a field",
      z.discriminatedUnion("kind", [z.object({ kind: z.literal("a") })]),
      /\.field uses (anyOf|oneOf)/,
    ],
    ["an intersection", z.object({}).and(words(3)), /\.field uses allOf/],
    ["a value of any type", z.any(), /\.field has type undefined/],
    ["an object of anything", z.looseObject({}), /\.field/],
    ["a tuple", z.tuple([words(5)]), /\.field/],
    ["text without bound", z.string(), /\.field is a string without bound: give it a maxLength/],
    ["text without bound in a list", z.array(z.string()).max(3), /\.field\[\] is a string without bound/],
    [
      "text without bound in a map",
      z.record(z.string(), z.string()).meta({ maxProperties: 3 }),
      /\.field\.\* is a string without bound/,
    ],
    ["a list without bound", z.array(words(5)), /\.field is a list without bound: give it a maxItems/],
    [
      "a map without bound",
      z.record(z.string(), words(5)),
      /\.field is a map without bound: give it a maxProperties/,
    ],
    [
      "a map whose keys are a pattern",
      z.record(z.string().regex(/^a$/), words(5)).meta({ maxProperties: 3 }),
      /\.field checks the keys of a map, which would be lost/,
    ],
    [
      "a pattern with flags",
      z.array(words(5).regex(/^a$/i)).max(3),
      /\.field\[\] has a pattern, and the flags of \/\^a\$\/i would be lost/,
    ],
    ["a pattern with lookahead", words(5).regex(/^(?=a)/), /\.field has the pattern/],
    ["a pattern that refers to a group", words(5).regex(/(a)\1/), /\.field has the pattern/],
    [
      "a rule with lookbehind",
      withRules(words(5), [{ rule: "self.matches('(?<!a)b')", message: "", check: () => true }]),
      /\.field has the pattern/,
    ],
    [
      "a named schema used twice",
      z.object({ a: z.object({ x: words(5) }).meta({ id: "shared" }), b: z.boolean() }),
      /\.field\.a uses \$ref/,
    ],
    ["a read-only field", words(5).readonly(), /\.field uses readOnly: leave out/],
    ["a keyword nobody knows", words(5).meta({ surprise: 1 }), /\.field uses surprise/],
  ])("%s", (_title, schema, words) => {
    expect(() => field(schema)).toThrow(words);
  });

  test("a schema that contains itself", () => {
    const node: z.ZodType = z.object({ next: z.lazy(() => node).optional() });
    expect(() => field(node)).toThrow(/uses \$ref/);
  });

  test("flags of a pattern that becomes a rule", () => {
    expect(() => text({ max: 5, pattern: /a/i, message: "" })).toThrow(/without its flags/);
  });
});

describe("structuralSchema keeps", () => {
  test("bounds, rules, defaults and list types, and nothing that the API server would refuse", () => {
    const schema = z.strictObject({
      name: text({ max: 9, pattern: /^a\/\.'$/, message: "write a" }).describe("Name."),
      count: int32(0, 3).default(1),
      free: z.int(),
      mode: z.enum(["On", "Off"]).optional(),
      tags: setOf(words(5), 2).optional(),
      ports: listByKey(z.object({ port: int32(1, 9) }), "port", 2).optional(),
      labels: labelMap("labels", 2).optional(),
    });
    const { labels, ...properties } = z.looseObject({}).parse(structuralSchema(schema).properties);
    expect(structuralSchema(schema)).toMatchObject({ type: "object", required: ["name", "free"] });
    expect(structuralSchema(schema)).not.toHaveProperty("additionalProperties");
    expect(properties).toEqual({
      name: {
        type: "string",
        description: "Name.",
        minLength: 1,
        maxLength: 9,
        "x-kubernetes-validations": [{ rule: "self.matches('^a\\\\/\\\\.\\'$')", message: "write a" }],
      },
      count: { type: "integer", format: "int32", minimum: 0, maximum: 3, default: 1 },
      free: { type: "integer" },
      mode: { type: "string", enum: ["On", "Off"] },
      tags: {
        type: "array",
        maxItems: 2,
        items: { type: "string", maxLength: 5 },
        "x-kubernetes-list-type": "set",
      },
      ports: {
        type: "array",
        maxItems: 2,
        items: {
          type: "object",
          required: ["port"],
          properties: { port: { type: "integer", format: "int32", minimum: 1, maximum: 9 } },
        },
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["port"],
      },
    });
    expect(labels).toMatchObject({
      type: "object",
      maxProperties: 2,
      additionalProperties: { type: "string" },
    });
  });
});
