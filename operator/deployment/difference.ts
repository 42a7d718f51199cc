import { isDeepStrictEqual } from "node:util";
import type { KubeObject } from "../../charts/kubernetes.ts";

/**
 * Path of the first field in which `live` does not hold what `desired` says; undefined when it holds all of it.
 * Fields that only `live` has (defaults, other writers' labels) don't count; lists count whole.
 * Quantities are compared by value, since the API server rewrites "1024Mi" as "1Gi".
 */
export function firstDifference(live: unknown, desired: unknown, path = ""): string | undefined {
  // The API server leaves empty strings, lists and maps out of what it returns.
  if (live === undefined && (desired === "" || (typeof desired === "object" && isEmpty(desired ?? {}))))
    return undefined;
  if (Array.isArray(desired)) {
    if (!Array.isArray(live) || live.length !== desired.length) return path;
    for (const [index, item] of desired.entries()) {
      const difference = firstDifference(live[index], item, `${path}[${index}]`);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }
  if (isMap(desired)) {
    if (!isMap(live)) return path;
    for (const [key, value] of Object.entries(desired)) {
      const difference = firstDifference(live[key], value, path === "" ? key : `${path}.${key}`);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }
  return live === desired || sameQuantity(live, desired) ? undefined : path;
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isEmpty = (value: object): boolean => Object.keys(value).length === 0;

const units: Readonly<Record<string, number>> = {
  "": 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

function quantity(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  const parts = typeof value === "string" ? /^([0-9.]+)(m|[kMGTP]|[KMGTP]i)?$/.exec(value) : null;
  return parts ? Number(parts[1]) * (units[parts[2] ?? ""] ?? Number.NaN) : undefined;
}

function sameQuantity(live: unknown, desired: unknown): boolean {
  const [a, b] = [quantity(live), quantity(desired)];
  return a !== undefined && a === b;
}

/**
 * `live` with what `desired` says laid over it, for a PUT: our labels and annotations join those of others, our top level
 * fields replace theirs, and fields of `spec` that we don't set (a Service's clusterIP) stay.
 */
export function overlay<T extends KubeObject>(live: KubeObject & { spec?: unknown }, desired: T): T {
  const spec =
    "spec" in desired && isMap(desired.spec) && isMap(live.spec)
      ? { spec: { ...live.spec, ...desired.spec } }
      : {};
  return {
    ...live,
    ...desired,
    ...spec,
    metadata: {
      ...live.metadata,
      ...desired.metadata,
      labels: { ...live.metadata.labels, ...desired.metadata.labels },
      annotations: { ...live.metadata.annotations, ...desired.metadata.annotations },
    },
  };
}

/** JSON merge patch (RFC 7386) that turns `from` into `to`; undefined when they are equal. */
export function mergePatch(from: unknown, to: unknown): unknown {
  if (!isMap(from) || !isMap(to)) return isDeepStrictEqual(from, to) ? undefined : to;
  const patch: Record<string, unknown> = {};
  for (const key of Object.keys(from))
    if (to[key] === undefined && from[key] !== undefined) patch[key] = null;
  for (const [key, value] of Object.entries(to)) {
    if (value === undefined) continue;
    const change = key in from ? mergePatch(from[key], value) : value;
    if (change !== undefined) patch[key] = change;
  }
  return isEmpty(patch) ? undefined : patch;
}
