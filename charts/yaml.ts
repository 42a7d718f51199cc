import type { KubeObject } from "./kubernetes.ts";

/**
 * Documents for kubectl, Helm and Argo CD, whose readers follow YAML 1.1, 1.2 or something between. Equal objects give equal
 * bytes: apiVersion, kind and metadata first, all else in its own order. Values that JSON has no word for are left out.
 */
export function toYaml(objects: readonly KubeObject[]): string {
  return objects
    .map(
      ({ apiVersion, kind, metadata, ...rest }) => `---\n${map({ apiVersion, kind, metadata, ...rest }, "")}`,
    )
    .join("");
}

/** Lines of a block map, each with its line break. */
function map(value: object, indent: string): string {
  return Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .map(([key, item]) => `${indent}${scalar(key)}:${node(item, indent)}`)
    .join("");
}

function list(items: readonly unknown[], indent: string): string {
  return items.map((item) => `${indent}-${listItem(item, indent)}`).join("");
}

/** What follows "key:". Lists are indented like their key, as kubectl prints them. */
function node(value: unknown, indent: string): string {
  if (Array.isArray(value)) return value.length === 0 ? " []\n" : `\n${list(value, indent)}`;
  if (isMap(value)) return isEmpty(value) ? " {}\n" : `\n${map(value, `${indent}  `)}`;
  return ` ${scalar(value)}\n`;
}

/** What follows "-": a map begins on the same line. */
function listItem(value: unknown, indent: string): string {
  const inner = `${indent}  `;
  if (isMap(value) && !isEmpty(value)) return ` ${map(value, inner).slice(inner.length)}`;
  return node(value, inner);
}

/** Text that no reader takes for anything else: it begins with a letter, "/" or "--", and has none of YAML's marks inside. */
const plain = /^(?:[A-Za-z]|\/|--[A-Za-z])[A-Za-z0-9_./@+=:-]*(?: [A-Za-z0-9_./@+=-][A-Za-z0-9_./@+=:-]*)*$/;
/** Words that YAML 1.1 reads as truth values or nothing. */
const reserved = /^(?:y|n|yes|no|on|off|true|false|null)$/i;

function scalar(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value ?? null);
  const isPlain = plain.test(value) && !value.endsWith(":") && !/: /.test(value) && !reserved.test(value);
  return isPlain ? value : quoted(value);
}

/** JSON's quoting, with all but printable ASCII escaped: YAML 1.1 takes some of it for line breaks, and wants no surrogates. */
function quoted(text: string): string {
  return JSON.stringify(text.toWellFormed()).replaceAll(/[^\x20-\x7e]/gu, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    return hex.length > 4 ? `\\U${hex.padStart(8, "0")}` : `\\u${hex.padStart(4, "0")}`;
  });
}

const isMap = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isEmpty = (value: object): boolean => Object.values(value).every((item) => item === undefined);
