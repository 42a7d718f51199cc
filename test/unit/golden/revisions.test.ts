import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { currentRevisions, goldenFile } from "./revisions.ts";

const golden = z.record(z.string(), z.string()).parse(JSON.parse(readFileSync(goldenFile, "utf8")));

test("no pod template changed by accident", () => {
  const current = currentRevisions();
  const changed = [...new Set([...Object.keys(golden), ...Object.keys(current)])]
    .filter((key) => golden[key] !== current[key])
    .map((key) => `  ${key}: ${golden[key] ?? "not planned"} → ${current[key] ?? "refused"}`);
  const meaning = `${changed.length} of ${Object.keys(current).length} plans are rendered to other pods than before:
${changed.slice(0, 10).join("\n")}${changed.length > 10 ? `\n  and ${changed.length - 10} more` : ""}
Running groups keep the plan that was frozen for them. But after an upgrade to this code every deployment of these plans
says UpdateAvailable, and adopting it loads all weights again. Compare \`mimo render\` before and after. If the change is
meant, run \`npm run generate:golden\`, commit the file, and tell users what they gain.`;
  expect(changed, meaning).toEqual([]);
});

test("every pair is planned with some runtime and profile", () => {
  const pairs = new Set(Object.keys(golden).map((key) => key.split(" ").slice(0, 2).join(" ")));
  expect(pairs.size).toBe(20);
});
