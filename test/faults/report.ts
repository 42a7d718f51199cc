/**
 * Keeps what the tests of the catalogue found in results.json, and writes docs/reliability.md from it. As a reporter of the
 * full run it takes up the files that were run; as a program (`npm run generate:reliability`) it writes the page alone.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import type { Reporter, TestModule } from "vitest/node";
import { z } from "zod";
import { bullets, page, table } from "../../charts/docs/markdown.ts";
import { type Covering, catalogue, drawn } from "./catalogue.ts";
import { readGuards } from "./guards.ts";

const root = resolve(import.meta.dirname, "../..");
const resultsFile = join(import.meta.dirname, "results.json");
const pageFile = join(root, "docs/reliability.md");

const result = z.object({
  name: z.string(),
  passed: z.boolean(),
  /** Faults by row of the catalogue. */
  points: z.record(z.string(), z.int()).default({}),
});
type Result = z.output<typeof result>;
/** By file, below test/. */
const results = z.record(z.string(), z.array(result));
type Results = z.output<typeof results>;

export const readResults = (): Results => results.parse(JSON.parse(readFileSync(resultsFile, "utf8")));

/** The results of the tests that cover a row. */
const found = (all: Results, { file, name = "" }: Covering): Result[] =>
  (all[file] ?? []).filter((each) => each.name.includes(name));

/** A test that counts nothing injects its failure once. */
function pointsOf(all: Results, covering: readonly Covering[], number: number): number {
  const tests = new Map(
    covering.flatMap((each) => found(all, each).map((one) => [`${each.file} ${one.name}`, one])),
  );
  return [...tests.values()].reduce((sum, { points }) => sum + (points[number] ?? 1), 0);
}

function state(all: Results, covering: readonly Covering[]): string {
  const tests = covering.map((each) => found(all, each));
  if (tests.some((each) => each.length === 0)) return "not run";
  return tests.flat().every(({ passed }) => passed) ? "passes" : "FAILS";
}

const links = (tests: readonly Covering[]): string =>
  [...new Set(tests.map(({ file }) => file))]
    .map((file) => `[${file.replace(".test.ts", "")}](../test/${file})`)
    .join(", ");

export function reliabilityPage(all: Results): string {
  const rows = catalogue.map((row) => [
    String(row.number),
    row.failure,
    row.asks,
    String(pointsOf(all, row.tests, row.number)),
    state(all, row.tests),
    links(row.tests),
  ]);
  const requests = drawn.map(({ what, tests }) => [
    what,
    String(pointsOf(all, tests, 0)),
    state(all, tests),
    links(tests),
  ]);
  const limits = catalogue.filter(({ limit }) => limit !== undefined);
  return page("generate:reliability", [
    "# Reliability",
    "What can fail between the operator and its cluster, made to fail on purpose on a real control plane with simulated nodes. No GPU was involved.",
    "In every row, after the last fault: the cluster ends in the state of an undisturbed run; nothing was made or removed more often than there; no group was let in by half; and an operator that then starts anew and looks at every deployment several times writes nothing.",
    "`npm run test:faults` runs everything and writes this page. Faults are drawn from a seed that a failure names: `PROPERTY_SEED` repeats it.",
    ...([...rows, ...requests].some((row) => row.includes("not run"))
      ? [
          "*Not run*: the tests are written, but have not been run to their end. Nothing is claimed of such a row.",
        ]
      : []),
    table(["#", "Failure", "Also asked", "Injected", "Result", "Tests"], rows),
    "## Requests that nobody thought of",
    "Drawn from the schemas: valid, nearly valid, and hostile.",
    table(["What holds", "Drawn", "Result", "Tests"], requests),
    "## Guards taken out",
    "Each is taken out of a copy of the source, and the test that is about it runs on both. `npm run test:mutation` does it again.",
    table(
      ["Without", "In", "Its test", "Result"],
      readGuards().map(({ guard, file, test, name, verdict }) => [
        guard,
        `[${file.split("/").at(-1)}](../${file})`,
        `[${name}](../${test})`,
        verdict,
      ]),
    ),
    "## Limits",
    bullets(limits.map(({ number, limit }) => `Row ${number}: ${limit}.`)),
  ]);
}

const pointsShape = z.record(z.string(), z.int()).default({});

export default class implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const all = readResults();
    for (const module of modules) {
      const tests = [...module.children.allTests()].filter((each) => each.result().state !== "skipped");
      if (tests.length === 0) continue;
      const run = tests.map((each) => ({
        name: each.fullName,
        passed: each.result().state === "passed",
        points: pointsShape.parse(each.meta().points),
      }));
      const file = relative(join(root, "test"), module.moduleId);
      const names = new Set(run.map(({ name }) => name));
      all[file] = [...(all[file] ?? []).filter(({ name }) => !names.has(name)), ...run];
    }
    write(all);
  }
}

function write(all: Results): void {
  const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => a.localeCompare(b)));
  writeFileSync(resultsFile, `${JSON.stringify(sorted, undefined, 2)}\n`);
  writeFileSync(pageFile, reliabilityPage(sorted));
}

if (process.argv[1] === import.meta.filename) write(readResults());
