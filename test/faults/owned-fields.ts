/** Which fields of a stored object a writer owns, from the API server's own books (managedFields), and other values for them. */
import { z } from "zod";

export type Path = readonly (string | number)[];

const managed = z.array(
  z.looseObject({ manager: z.string(), subresource: z.string().optional(), fieldsV1: z.unknown() }),
);

/** Paths of the values of `object` that `manager` has set: of the innermost fields that the API server tells apart. */
export function ownedFields(object: { metadata: Record<string, unknown> }, manager: string): Path[] {
  const all = managed
    .parse(object.metadata.managedFields ?? [])
    .filter((each) => each.manager === manager && each.subresource === undefined)
    .flatMap(({ fieldsV1 }) => leaves(fieldsV1, object, []));
  return [...new Map(all.map((path) => [JSON.stringify(path), path])).values()];
}

function leaves(fields: unknown, value: unknown, path: Path): Path[] {
  const entries = isMap(fields) ? Object.entries(fields).filter(([key]) => key !== ".") : [];
  if (entries.length === 0) return value === undefined ? [] : [path];
  return entries.flatMap(([key, inner]) => {
    const step = stepOf(key, value);
    return step === undefined ? [] : leaves(inner, at(value, [step]), [...path, step]);
  });
}

/** `f:name` is a key, `k:{...}` the item with these keys, `v:...` the item itself. */
function stepOf(key: string, value: unknown): string | number | undefined {
  const rest = key.slice(2);
  if (key.startsWith("f:")) return rest;
  const wanted: unknown = JSON.parse(rest);
  const index = Array.isArray(value) ? value.findIndex((item) => matches(item, wanted)) : -1;
  return index < 0 ? undefined : index;
}

const matches = (item: unknown, wanted: unknown): boolean =>
  isMap(wanted) && isMap(item)
    ? Object.entries(wanted).every(([key, value]) => item[key] === value)
    : item === wanted;

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const at = (object: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (value, step) =>
      Array.isArray(value) ? value[Number(step)] : isMap(value) ? value[String(step)] : undefined,
    object,
  );

/** As JSON patch names it. */
export const pointer = (path: Path): string =>
  path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

/** JSON patches that would make a value another, likeliest first: some of them no API server takes. */
export function mutations(path: Path, value: unknown): object[] {
  const replaced = others(value).map((other) => ({ op: "replace", path: pointer(path), value: other }));
  return [...replaced, { op: "remove", path: pointer(path) }];
}

function others(value: unknown): unknown[] {
  if (typeof value === "boolean") return [!value];
  if (typeof value === "number") return [value + 1];
  if (typeof value === "string") return [`${value}-drift`, ...quantities(value), "drift"];
  if (Array.isArray(value)) return [[...value, value[0] ?? "drift"], value.slice(1)];
  return [];
}

const quantities = (value: string): string[] => (/^\d+(Gi|Mi|m)?$/.test(value) ? ["1"] : []);
