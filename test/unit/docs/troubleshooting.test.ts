import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { groupStates } from "../../../crds/status.ts";
import { refusalCodes } from "../../../synth/errors.ts";
import { tableRows } from "./markdown.ts";

const root = resolve(import.meta.dirname, "../../..");
const read = (path: string): string => readFileSync(resolve(root, path), "utf8");
const explained = tableRows(read("docs/troubleshooting.md")).flatMap((row) =>
  [row.Reason, row.Code].flatMap((cell) => cell?.split(", ") ?? []),
);

/** Words of the source that look like a reason and are none. */
const noReasons = new Set([
  // Types and statuses of conditions, and what pods say of themselves.
  ...["Ready", "Available", "Accepted", "MemoryFit", "PlacementReady", "Reconciling", "Stalled"],
  ...["True", "False", "Unknown", "PodScheduled", "UpdateAvailable"],
  // A level of provenance.
  "Derived",
]);

/** Every word in Pascal case that stands as a string in a file. */
const words = (path: string): string[] =>
  [...read(path).matchAll(/"([A-Z][a-z]+(?:[A-Z][a-z]+)*)"/g)].map(([, word = ""]) => word);

const reasons = [
  ...Object.keys(refusalCodes),
  ...groupStates,
  ...[
    "operator/deployment/conditions.ts",
    "operator/deployment/obstacles.ts",
    "operator/deployment/opening.ts",
    "operator/deployment/shortage.ts",
  ]
    .flatMap(words)
    .filter((word) => !noReasons.has(word) && !word.endsWith("Error")),
  ...words("operator/deployment/observe.ts").filter((word) => word.startsWith("Invalid")),
  "Ready",
];
const events = globSync("operator/deployment/*.ts", { cwd: root }).flatMap((path) =>
  [...read(path).matchAll(/\bevent:([^}\n]+)/g)].flatMap(([, expression = ""]) =>
    [...expression.matchAll(/"(\w+)"/g)].map(([, event = ""]) => event),
  ),
);

describe("docs/troubleshooting.md", () => {
  test("finds reasons and events in the code at all", () => {
    expect(reasons).toEqual(expect.arrayContaining(["NameTaken", "Unschedulable", "Planned", "InvalidSpec"]));
    expect(events).toEqual(expect.arrayContaining(["GroupRebuilding", "GroupGivenUp"]));
  });

  test.each([...new Set([...reasons, ...events])])("explains the reason %s", (reason) => {
    expect(explained).toContain(`\`${reason}\``);
  });
});
