import { z } from "zod";
import { closest } from "./spelling.ts";

export interface UnknownField {
  /** "spec.features.deepEp" */
  readonly path: string;
  readonly didYouMean?: string;
}

/**
 * Fields of `value` that the schema doesn't have. zod drops them in silence; the API server, asked to be strict as
 * kubectl does, refuses them.
 */
export function unknownFields(schema: z.core.$ZodType, value: unknown): UnknownField[] {
  return [...walk(schema, value, [])];
}

function* walk(
  wrapped: z.core.$ZodType,
  value: unknown,
  path: readonly PropertyKey[],
): Generator<UnknownField> {
  const schema = unwrap(wrapped);
  if (schema instanceof z.ZodArray && Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* walk(schema.element, item, [...path, index]);
  }
  if (!isObject(value)) return;
  if (schema instanceof z.ZodRecord) {
    for (const [key, item] of Object.entries(value)) {
      // zod drops this key; to the API server it is one like another, and no map of ours takes it.
      if (key === "__proto__") yield { path: fieldPath([...path, key]) };
      else yield* walk(schema.valueType, item, [...path, key]);
    }
  }
  if (!(schema instanceof z.ZodObject)) return;
  const shape = new Map<string, z.core.$ZodType>(Object.entries(schema.shape));
  for (const [key, item] of Object.entries(value)) {
    const field = shape.get(key);
    if (field !== undefined) {
      yield* walk(field, item, [...path, key]);
      continue;
    }
    const didYouMean = closest(
      key,
      [...shape.keys()].filter((name) => !Object.hasOwn(value, name)),
    );
    yield { path: fieldPath([...path, key]), ...(didYouMean !== undefined && { didYouMean }) };
  }
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodNullable
  )
    return unwrap(schema.def.innerType);
  return schema;
}

/** `["spec", "server", "extraEnv", 1, "name"]` as "spec.server.extraEnv[1].name"; a key that is no plain word in brackets. */
export function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((before, step) => {
    if (typeof step === "number") return `${before}[${step}]`;
    const word = String(step);
    if (!/^[A-Za-z_][-A-Za-z0-9_]*$/.test(word)) return `${before}[${word}]`;
    return before === "" ? word : `${before}.${word}`;
  }, "");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
