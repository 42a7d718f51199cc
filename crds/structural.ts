import { z } from "zod";

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** An OpenAPI v3 schema that the API server can prune, default and validate: every value has one type. */
export type StructuralSchema = { readonly [keyword: string]: JsonValue };

/** Keywords that pass, in the order they are written. Everything else is refused. */
const keywords = [
  "type",
  "description",
  "nullable",
  "default",
  "enum",
  "format",
  "pattern",
  "minimum",
  "exclusiveMinimum",
  "maximum",
  "exclusiveMaximum",
  "multipleOf",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "minProperties",
  "maxProperties",
  "required",
  "properties",
  "additionalProperties",
  "items",
  "x-kubernetes-int-or-string",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-list-type",
  "x-kubernetes-map-type",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-validations",
] as const;
const known: ReadonlySet<string> = new Set(keywords);

const remedies: Readonly<Record<string, string>> = {
  $ref: "write the schema out where it is used: no .meta({ id }), no recursion",
  anyOf: "use optional members of one object and a CEL rule that says how many",
  oneOf: "use optional members of one object and a CEL rule that says how many",
  allOf: "write one object",
  not: "use a CEL rule",
  const: "use z.enum",
  uniqueItems: "use x-kubernetes-list-type: set",
  readOnly: "leave out .readonly()",
};

const types = new Set(["object", "array", "string", "integer", "number", "boolean"]);
/** What RE2 does not know: lookahead, lookbehind and references to groups. */
const beyondRe2 = /\(\?(=|!|<=|<!)|\\[1-9]|\\k</;

/**
 * The schema of a custom resource's field, from zod.
 * Throws, naming the path, where the API server would refuse it (not structural), where zod's meaning would be lost
 * (flags and lookaround of patterns), and where a value could grow without bound: CEL's cost estimate needs the bounds.
 */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  const { definitions: _, ...emitted } = z.toJSONSchema(schema, {
    target: "openapi-3.0",
    io: "input",
    reused: "inline",
    override: ({ zodSchema, path }) => {
      if (zodSchema instanceof z.core.$ZodRecord && !isPlainString(zodSchema._zod.def.keyType))
        refuse(fieldOf(path), "checks the keys of a map, which would be lost", "use a CEL rule");
      for (const pattern of patternsOf(zodSchema))
        if (pattern.flags !== "")
          refuse(fieldOf(path), `has a pattern, and the flags of ${pattern} would be lost`, "write none");
    },
  });
  return structural(emitted, "");
}

/** `["properties", "a", "items"]` as ".a[]". */
function fieldOf(path: readonly (string | number)[]): string {
  const [step, name, ...rest] = path;
  if (step === undefined) return "";
  if (step === "properties" && name !== undefined) return `.${name}${fieldOf(rest)}`;
  return `${step === "items" ? "[]" : ".*"}${fieldOf(path.slice(1))}`;
}

const isPlainString = (schema: z.core.$ZodType): boolean =>
  schema instanceof z.ZodString && (schema._zod.def.checks ?? []).length === 0;

function patternsOf(schema: z.core.$ZodType): RegExp[] {
  const checks = schema._zod.def.checks ?? [];
  const own = schema instanceof z.core.$ZodStringFormat ? [schema._zod.def] : [];
  return [...checks.map((check) => check._zod.def), ...own].flatMap((def) =>
    "pattern" in def && def.pattern instanceof RegExp ? [def.pattern] : [],
  );
}

function structural(node: unknown, path: string): StructuralSchema {
  if (!isObject(node)) refuse(path, "is not a schema", "give it a type");
  const kept: Record<string, unknown> = { ...node };
  if (kept.additionalProperties === false) delete kept.additionalProperties;
  for (const bound of ["minimum", "maximum"]) {
    const value = kept[bound];
    if (typeof value === "number" && Math.abs(value) >= Number.MAX_SAFE_INTEGER) delete kept[bound];
  }
  for (const keyword of Object.keys(kept))
    if (!known.has(keyword))
      refuse(path, `uses ${keyword}`, remedies[keyword] ?? "say it in a keyword of a structural schema");
  checkType(kept, path);
  checkBounds(kept, path);
  checkPatterns(kept, path);

  const ordered: Record<string, JsonValue> = {};
  for (const keyword of keywords) {
    const value = kept[keyword];
    if (value === undefined) continue;
    if (keyword === "properties" && isObject(value)) {
      ordered[keyword] = Object.fromEntries(
        Object.entries(value).map(([name, child]) => [name, structural(child, `${path}.${name}`)]),
      );
    } else if (keyword === "items") ordered[keyword] = structural(value, `${path}[]`);
    else if (keyword === "additionalProperties") ordered[keyword] = structural(value, `${path}.*`);
    else ordered[keyword] = json(value, path);
  }
  return ordered;
}

function checkType(node: Record<string, unknown>, path: string): void {
  const free = node["x-kubernetes-preserve-unknown-fields"] === true;
  if (node["x-kubernetes-int-or-string"] === true) {
    if (node.type !== undefined) refuse(path, "is int-or-string and has a type", "leave out the type");
    return;
  }
  if (typeof node.type !== "string" || !types.has(node.type))
    refuse(path, `has type ${JSON.stringify(node.type)}`, `give it one of ${[...types].join(", ")}`);
  if (node.type === "object" && !free && !isObject(node.properties) && !isObject(node.additionalProperties))
    refuse(path, "is an object of anything", "name its properties or the type of its values");
  if (isObject(node.properties) && node.additionalProperties !== undefined)
    refuse(path, "has properties and additionalProperties", "use one of them");
  if (node.type === "array" && !isObject(node.items))
    refuse(path, "is an array of anything", "give its items a schema");
}

function checkBounds(node: Record<string, unknown>, path: string): void {
  const bound = (keyword: string, what: string) => {
    if (typeof node[keyword] !== "number") refuse(path, `is ${what} without bound`, `give it a ${keyword}`);
  };
  if (node.type === "string" && node.enum === undefined) bound("maxLength", "a string");
  if (node.type === "array") bound("maxItems", "a list");
  if (isObject(node.additionalProperties)) bound("maxProperties", "a map");
}

function checkPatterns(node: Record<string, unknown>, path: string): void {
  const rules = Array.isArray(node["x-kubernetes-validations"]) ? node["x-kubernetes-validations"] : [];
  const sources = [node.pattern, ...rules.filter(isObject).map(({ rule }) => rule)];
  for (const source of sources)
    if (typeof source === "string" && beyondRe2.test(source))
      refuse(path, `has the pattern ${source}`, "the API server knows no lookaround and no back-reference");
}

function json(value: unknown, path: string): JsonValue {
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return value;
  if (Array.isArray(value)) return value.map((item) => json(item, path));
  if (isObject(value))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, json(item, path)]));
  return refuse(path, `holds ${String(value)}`, "use JSON values");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(path: string, what: string, remedy: string): never {
  throw new Error(`The schema at ${path === "" ? "its root" : path} ${what}: ${remedy}.`);
}
