import type { Known } from "./facts.ts";

/** One thing looked at. `warning`: it works, and there is something to decide. */
export interface Check {
  readonly about: string;
  readonly verdict: "ok" | "warning" | "failed" | "unknown";
  /** What was found, in words. */
  readonly found: string;
  readonly fix?: string;
}

export const ok = (about: string, found: string): Check => ({ about, verdict: "ok", found });
export const warning = (about: string, found: string, fix: string): Check => ({
  about,
  verdict: "warning",
  found,
  fix,
});
export const failed = (about: string, found: string, fix: string): Check => ({
  about,
  verdict: "failed",
  found,
  fix,
});

/** Judges what is known; what couldn't be read is said to be unknown. */
export const judge = <T>(about: string, fact: Known<T>, verdict: (value: T) => Check): Check =>
  fact.known ? verdict(fact.value) : { about, verdict: "unknown", found: fact.why };

export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;

const namedAtMost = 5;

/** "a, b, c, d, e and 3 more" */
export function list(names: readonly string[]): string {
  const more = names.length - namedAtMost;
  return more > 0 ? `${names.slice(0, namedAtMost).join(", ")} and ${more} more` : names.join(", ");
}

/** "v1.36.3" against [1, 30]: undefined when it isn't a version. */
export function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean | undefined {
  const parts = /^v?(\d+)\.(\d+)/.exec(version);
  if (parts === null) return undefined;
  const [own, ownMinor] = [Number(parts[1]), Number(parts[2])];
  return own > major || (own === major && ownMinor >= minor);
}
