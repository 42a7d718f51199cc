import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** A guard that was taken out of a copy of the source, and whether its test noticed. */
const guard = z.object({
  guard: z.string(),
  /** Where the guard is. */
  file: z.string(),
  test: z.string(),
  /** A part of the test's whole name. */
  name: z.string(),
  verdict: z.string(),
});
export type Guard = z.output<typeof guard>;

const file = join(import.meta.dirname, "guards.json");

export const readGuards = (): Guard[] => z.array(guard).parse(JSON.parse(readFileSync(file, "utf8")));

export const writeGuards = (guards: readonly Guard[]): void =>
  writeFileSync(file, `${JSON.stringify(guards, undefined, 2)}\n`);
