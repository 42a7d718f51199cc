import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { toYaml } from "../../../charts/yaml.ts";

const object = (spec: unknown) => ({ apiVersion: "v1", kind: "Thing", metadata: { name: "a" }, spec });
const versions = ["1.1", "1.2"] as const;

function read(text: string, version: (typeof versions)[number]): unknown[] {
  return parseAllDocuments(text, { version, merge: version === "1.1" }).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS();
  });
}

/** Text that some version of YAML reads as something other than text, or that would break its line. */
const treacherous = [
  "on",
  "Off",
  "yes",
  "n",
  "Y",
  "true",
  "NULL",
  "null",
  "~",
  "",
  " ",
  " a",
  "a ",
  "0",
  "-1",
  "007",
  "0o17",
  "0x1F",
  "0b1",
  "1_000",
  "1e3",
  "12:30:45",
  "190:20",
  "1.5",
  ".5",
  ".inf",
  "-.Inf",
  ".NaN",
  "2026-11-22",
  "2026-11-22T10:00:00Z",
  "=",
  "<<",
  "-",
  "- a",
  "?",
  "? a",
  "a: b",
  "a:",
  ":a",
  "a #b",
  "#a",
  "&a",
  "*a",
  "!a",
  "!!str a",
  "|",
  ">",
  "%a",
  "@a",
  "`a",
  "{a",
  "[a",
  "a, b",
  "a]",
  "'a",
  '"a',
  "a\nb",
  "a\n",
  "\ta",
  "a\r\nb",
  "---",
  "--- a",
  "...",
  "--flag",
  "--",
  "$(NODE_RANK)",
  "a\\b",
  "\u0085",
  "a\u2028b",
  "\ufeffa",
  "\u0000",
  "é",
  "😀",
];

describe("YAML", () => {
  test.each(versions)("means the same to a reader of version %s, as values and as keys", (version) => {
    for (const text of treacherous) {
      const original = object({ value: text, list: [text], [text]: text });
      expect(read(toYaml([original]), version)).toEqual([original]);
    }
  });

  test.each(versions)("of any JSON means the same to a reader of version %s", (version) => {
    // JSON has no -0; keys named "__proto__" are the reader's trouble.
    const value = fc
      .jsonValue({ maxDepth: 4, stringUnit: "binary" })
      .map((any) => JSON.parse(JSON.stringify(any)));
    const harmless = value.filter((any) => !JSON.stringify(any).includes("__proto__"));
    fc.assert(
      fc.property(harmless, (spec) => {
        const original = object(spec);
        expect(read(toYaml([original]), version)).toEqual([original]);
      }),
    );
  });

  test("is easy to read where nothing stands against it", () => {
    const original = object({
      image: "lmsysorg/sglang:v0.5.18",
      command: ["sglang", "serve", "--tp-size", "8"],
      ports: [{ name: "http", port: 30_000 }],
      empty: {},
      none: [],
    });
    expect(toYaml([original])).toBe(`---
apiVersion: v1
kind: Thing
metadata:
  name: a
spec:
  image: lmsysorg/sglang:v0.5.18
  command:
  - sglang
  - serve
  - --tp-size
  - "8"
  ports:
  - name: http
    port: 30000
  empty: {}
  none: []
`);
  });

  test("begins each document with what it is", () => {
    const original = { data: { a: "1" }, metadata: { name: "a" }, kind: "Thing", apiVersion: "v1" };
    const text = toYaml([original, original]);
    expect(text.match(/^---\napiVersion: v1\nkind: Thing\nmetadata:\n {2}name: a\ndata:/gm)).toHaveLength(2);
  });

  test("leaves out what JSON leaves out", () => {
    expect(read(toYaml([object({ a: undefined, b: { c: undefined } })]), "1.2")).toEqual([object({ b: {} })]);
  });
});
