import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type SchemaOptions,
  visit,
  type YAMLError,
} from "yaml";
import type { Finding, Place } from "./finding.ts";

/** One object of a file: a YAML document, or an item of a List in one. */
export interface SourceDocument {
  readonly place: Place;
  /** As JSON would carry it. */
  readonly value: unknown;
  /** Where a field stands ("spec.server.extraEnv[1].name"), or the nearest thing above it that is there. */
  readonly lineOf: (field: string) => number | undefined;
}

/** Aliases that one document may expand to, so that a few lines can't become gigabytes. */
const maxAliases = 100;
/** One mistake in YAML often brings hundreds after it. */
const maxErrorsShown = 3;

/**
 * Reads YAML (or JSON, which is YAML) as kubectl does: by version 1.1, where `on` is true; aliases and merge keys
 * resolved; Lists taken apart; empty documents passed over. Every document is read, whatever is wrong with another.
 */
export function readDocuments(
  source: string,
  text: string,
): { documents: readonly SourceDocument[]; findings: readonly Finding[] } {
  const documents: SourceDocument[] = [];
  const findings: Finding[] = [];
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, {
    version: "1.1",
    merge: true,
    stringKeys: true,
    // Checked below: the parser's own check takes minutes for a map of many keys.
    uniqueKeys: false,
    customTags: withoutSurprises,
    lineCounter: lines,
    prettyErrors: false,
    logLevel: "error",
  });
  for (const [index, document] of [...parsed].entries()) {
    const place: Place = { source, document: index + 1 };
    const refuse = (code: string, message: string, offset: number | undefined): void => {
      const position = offset === undefined ? undefined : lines.linePos(offset);
      findings.push({
        place: { ...place, line: position?.line, column: position?.col },
        code,
        field: "",
        message,
      });
    };
    if (document.errors.length > 0) {
      for (const error of document.errors.slice(0, maxErrorsShown))
        refuse("InvalidYaml", yamlRemedy(error), error.pos[0]);
      continue;
    }
    const repeated = repeatedKey(document);
    if (repeated !== undefined) {
      refuse("InvalidYaml", `the key ${repeated.key} is there twice: keep one`, repeated.offset);
      continue;
    }
    const json = toJson(document);
    if ("refusal" in json) {
      refuse("InvalidYaml", json.refusal, document.contents?.range?.[0]);
      continue;
    }
    if (json.value === null) continue;
    const lineOf = (path: readonly string[]): number | undefined => {
      const offset = offsetOf(document, path);
      return offset === undefined ? undefined : lines.linePos(offset).line;
    };
    documents.push(...flatten(json.value, place, lineOf));
  }
  return { documents, findings };
}

type Tags = Extract<SchemaOptions["customTags"], readonly unknown[]>;

/** Base 60 and timestamps are of YAML 1.1 but not of the reader that kubectl has: `12:30` and `2026-01-02` stay text. */
function withoutSurprises(tags: Tags): Tags {
  return tags.filter(
    (tag) =>
      typeof tag === "string" ||
      (tag.format !== "TIME" && !/:(timestamp|binary|omap|pairs|set)$/.test(tag.tag)),
  );
}

function yamlRemedy({ code, message }: YAMLError): string {
  if (code === "RESOURCE_EXHAUSTION") return "is nested too deeply to be read";
  if (code === "TAB_AS_INDENT") return "a tab indents this line: YAML takes spaces only";
  return `is not YAML: ${message}`;
}

/** By way of JSON, as kubectl sends it. */
function toJson(document: Document.Parsed): { value: unknown } | { refusal: string } {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: maxAliases });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const bomb = `its aliases stand for too much (more than ${maxAliases} copies): write the values out`;
    return { refusal: error instanceof ReferenceError ? bomb : `is not YAML: ${error.message}` };
  }
  try {
    return { value: JSON.parse(JSON.stringify(value) ?? "null") };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { refusal: "an alias stands inside what it stands for: write the value out" };
  }
}

function repeatedKey(document: Document.Parsed): { key: string; offset: number | undefined } | undefined {
  let repeated: { key: string; offset: number | undefined } | undefined;
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<string>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        const word = String(key.value);
        if (word !== "<<" && seen.has(word)) {
          repeated = { key: word, offset: key.range?.[0] };
          return visit.BREAK;
        }
        seen.add(word);
      }
      return undefined;
    },
  });
  return repeated;
}

function flatten(
  value: unknown,
  place: Place,
  lineOf: (path: readonly string[]) => number | undefined,
): SourceDocument[] {
  const list =
    typeof value === "object" && value !== null && "kind" in value && "items" in value ? value : undefined;
  if (typeof list?.kind === "string" && list.kind.endsWith("List") && Array.isArray(list.items)) {
    return list.items.map((item: unknown, index) => ({
      place: { ...place, item: index, line: lineOf(["items", String(index)]) },
      value: item,
      lineOf: (field) => lineOf(["items", String(index), ...steps(field)]),
    }));
  }
  return [{ place: { ...place, line: lineOf([]) }, value, lineOf: (field) => lineOf(steps(field)) }];
}

/** "spec.scheduling.nodeSelector[example.com/pool]" as its keys. */
const steps = (field: string): string[] =>
  [...field.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map(([, bracketed, word]) => bracketed ?? word ?? "");

function offsetOf(document: Document.Parsed, path: readonly string[]): number | undefined {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0];
  for (const step of path) {
    const child = childOf(isAlias(node) ? node.resolve(document) : node, step);
    if (child === undefined) return offset;
    offset = child.at.range?.[0];
    node = child.node;
  }
  return offset;
}

/** A field of a map, which stands where its key does, or an item of a list. */
function childOf(parent: unknown, step: string): { node: unknown; at: Node } | undefined {
  if (isMap(parent)) {
    const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === step);
    return isNode(pair?.key) ? { node: pair.value, at: pair.key } : undefined;
  }
  const item = isSeq(parent) ? parent.items[Number(step)] : undefined;
  return isNode(item) ? { node: item, at: item } : undefined;
}
