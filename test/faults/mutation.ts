/**
 * `npm run test:mutation`: takes one guard after the other out of a copy of the source, and runs the test that should
 * notice. A test that passes all the same proves nothing. Ends with 1 when one does, or fails on the untouched copy. What was
 * seen goes to guards.json, and from there into docs/reliability.md.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Guard, readGuards, writeGuards } from "./guards.ts";

interface Mutation {
  readonly guard: string;
  readonly file: string;
  /** Each has to be there exactly once. */
  readonly edits: readonly (readonly [from: string, to: string])[];
  readonly test: string;
  readonly name: string;
}

const mutations: readonly Mutation[] = [
  {
    guard: "UID precondition on deletes",
    file: "operator/deployment/execute.ts",
    edits: [["preconditions: { uid: step.uid },", ""]],
    test: "test/faults/writes.test.ts",
    name: "pod replaced by its namesake",
  },
  {
    guard: "own writes are waited for",
    file: "operator/deployment/reconcile.ts",
    edits: [["ownWrites.unseen(key)", 'ownWrites.unseen("nobody")']],
    test: "test/faults/watches.test.ts",
    name: "events come 30 s late",
  },
  {
    guard: "formation on record before the first gate opens",
    file: "operator/deployment/group-steps.ts",
    edits: [
      [
        "const stages = [[mark(",
        "const pin = { domain: undefined, barredHosts: [], avoidedNodes: [] }; const stages = [presentPods(group).map((pod) => opening(pod, formation, pin)), [mark(",
      ],
    ],
    test: "test/faults/writes.test.ts",
    name: "killed before",
  },
  {
    guard: "the lease ends by its holder's own clock",
    file: "operator/runtime/elector.ts",
    edits: [
      ["!term.signal.aborted && clock.monotonic() < heldUntil", "true"],
      ["clock.setTimeout(expire,", "clock.setTimeout(() => undefined,"],
      ["if (clock.monotonic() >= heldUntil) {", "if (Number.isNaN(heldUntil)) {"],
    ],
    test: "test/faults/leaders.test.ts",
    name: "a leader that is stopped amid its writes",
  },
];

const root = resolve(import.meta.dirname, "../..");
const parts = [
  "operator",
  "crds",
  "synth",
  "charts",
  "docs",
  "test",
  "package.json",
  "tsconfig.json",
  "vitest.config.ts",
];

function copyOf(mutation: Mutation | undefined): string {
  const copy = mkdtempSync(join(tmpdir(), "mimo-mutation-"));
  for (const part of parts) cpSync(join(root, part), join(copy, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  if (mutation === undefined) return copy;
  const file = join(copy, mutation.file);
  let text = readFileSync(file, "utf8");
  for (const [from, to] of mutation.edits) {
    if (text.split(from).length !== 2) throw new Error(`${mutation.file} has not exactly one: ${from}`);
    text = text.replace(from, () => to);
  }
  writeFileSync(file, text);
  return copy;
}

/** Whether the test passes in a copy; its output is told when that surprises. */
function passes({ test, name }: Mutation, mutation: Mutation | undefined): boolean {
  const copy = copyOf(mutation);
  try {
    const { status, stdout } = spawnSync(
      join(copy, "node_modules/.bin/vitest"),
      ["run", "--config", "test/faults/vitest.config.ts", test, "-t", name],
      { cwd: copy, env: { ...process.env, FAULTS: "full" }, encoding: "utf8" },
    );
    const expected = mutation === undefined;
    if ((status === 0) !== expected) console.error(stdout.slice(-4000));
    return status === 0;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const only = process.argv[2] ?? "";
const results = mutations
  .filter(({ guard }) => guard.includes(only))
  .map((mutation): Guard => {
    const { guard, file, test, name } = mutation;
    const sound = passes(mutation, undefined);
    const noticed = !passes(mutation, mutation);
    const verdict = !sound ? "fails with it, too" : noticed ? "noticed" : "NOT NOTICED";
    console.log(`${guard}: ${verdict} (${test}, ${name})`);
    return { guard, file, test, name, verdict };
  });
const known = new Set(mutations.map(({ guard }) => guard));
const others = readGuards().filter(({ guard }) => known.has(guard) && !guard.includes(only));
writeGuards([...others, ...results]);
if (results.length === 0 || results.some(({ verdict }) => verdict !== "noticed")) process.exitCode = 1;
