import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { readDocuments } from "../../../operator/cli/documents.ts";

const read = (text: string) => readDocuments("f.yaml", text);
const values = (text: string): unknown[] => read(text).documents.map(({ value }) => value);
const refusals = (text: string): [number | undefined, number | undefined, string][] =>
  read(text).findings.map(({ place, message }) => [place.document, place.line, message]);

describe("readDocuments", () => {
  it("reads words and numbers as kubectl does", () => {
    expect(values("a: on\nb: no\nc: 010\nd: 1_000\ne: 12:30\nf: 2026-01-02\ng: 1e3\nh: ~\ni: '1'\n")).toEqual(
      [{ a: true, b: false, c: 8, d: 1000, e: "12:30", f: "2026-01-02", g: 1000, h: null, i: "1" }],
    );
  });

  it("counts documents as they stand in the file and passes over empty ones", () => {
    const { documents } = read("# nothing\n---\n---\na: 1\n---\n\n---\nb: 2\n");
    expect(documents.map(({ value, place }) => [value, place.document])).toEqual([
      [{ a: 1 }, 2],
      [{ b: 2 }, 4],
    ]);
  });

  it("takes Lists apart", () => {
    const { documents } = read("kind: List\nitems:\n- a: 1\n- a: 2\n");
    expect(documents.map(({ value, place }) => [value, place.item, place.line])).toEqual([
      [{ a: 1 }, 0, 3],
      [{ a: 2 }, 1, 4],
    ]);
    expect(documents[1]?.lineOf("a")).toBe(4);
  });

  it("knows the line of a field, of an item, of a key with dots, and of what is nearest to a field that isn't there", () => {
    const [document] = read(
      "spec:\n  env:\n  - name: A\n  - name: B\n    value: x\n  labels:\n    example.com/pool: p\n",
    ).documents;
    expect(document?.lineOf("spec.env[1].value")).toBe(5);
    expect(document?.lineOf("spec.labels[example.com/pool]")).toBe(7);
    expect(document?.lineOf("spec.model.huggingFace")).toBe(1);
    expect(document?.lineOf("metadata.name")).toBe(1);
  });

  it("resolves aliases and merge keys, and finds lines through them", () => {
    const [document] = read("base: &b\n  a: 1\nspec:\n  <<: *b\n  c: 2\nsame: *b\n").documents;
    expect(document?.value).toEqual({ base: { a: 1 }, spec: { a: 1, c: 2 }, same: { a: 1 } });
    expect(document?.lineOf("same.a")).toBe(2);
  });

  it("names line and cause of what is no YAML, and reads the other documents", () => {
    const text = "a: [1\n---\nb: 2\n---\n\tc: 3\n---\nd: 1\nd: 2\n";
    expect(values(text)).toEqual([{ b: 2 }]);
    expect(refusals(text)).toEqual([
      [1, 2, expect.stringContaining("is not YAML")],
      [3, 5, "a tab indents this line: YAML takes spaces only"],
      [4, 8, "the key d is there twice: keep one"],
    ]);
  });

  it("refuses aliases that stand for gigabytes, that contain themselves, and nesting without end", () => {
    const level = (name: string, of: string): string =>
      `${name}: &${name} [${Array(9).fill(`*${of}`).join(", ")}]\n`;
    const bomb = `a: &a [x]\n${level("b", "a")}${level("c", "b")}${level("d", "c")}`;
    expect(refusals(bomb)).toEqual([[1, 1, expect.stringContaining("write the values out")]]);
    expect(refusals("a: &a\n  b: *a\n")).toEqual([[1, 1, expect.stringContaining("stands inside")]]);
    expect(refusals("{".repeat(20_000))[0]?.[2]).toContain("nested too deeply");
  });

  it("reads back whatever was written as YAML or as JSON", () => {
    fc.assert(
      fc.property(fc.array(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 })), (objects) => {
        const isList = (object: object): boolean => "kind" in object && "items" in object;
        // "<<" merges into its mapping, as in kubectl.
        fc.pre(!objects.some(isList) && !JSON.stringify(objects).includes('"<<"'));
        const plain: unknown = JSON.parse(JSON.stringify(objects));
        const options = { version: "1.1", aliasDuplicateObjects: false } as const;
        expect(values(objects.map((object) => `---\n${stringify(object, options)}`).join(""))).toEqual(plain);
        expect(values(objects.map((object) => `---\n${JSON.stringify(object)}\n`).join(""))).toEqual(plain);
      }),
      { numRuns: 50 },
    );
  });

  it("never throws, whatever the text", () => {
    const pieces = fc.constantFrom(
      "a",
      ": ",
      "\n",
      "  ",
      "- ",
      "[",
      "]",
      "{",
      "}",
      "&a ",
      "*a ",
      "---\n",
      "<<",
      "!!set ",
      '"',
      "|",
      "%",
      "\t",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        read(parts.join(""));
      }),
      { numRuns: 2000 },
    );
  });
});
