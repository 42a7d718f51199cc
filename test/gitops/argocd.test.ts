import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { annotations } from "../../charts/names.ts";
import { runLua } from "./engines.ts";
import { states } from "./states.ts";
import { now, scripts, testData } from "./test-data.ts";

const read = (path: string): string => readFileSync(join(scripts, path), "utf8");
const document = z.looseObject({
  metadata: z.looseObject({ annotations: z.record(z.string(), z.string()).optional() }),
});
const object = (path: string): z.output<typeof document> => document.parse(parse(read(path)));

const health = z.object({ status: z.string(), message: z.string() });
const healthTests = z
  .object({ tests: z.array(z.object({ inputPath: z.string(), healthStatus: health })) })
  .parse(parse(read("health_test.yaml"))).tests;
const action = z.object({ name: z.string(), disabled: z.boolean(), iconClass: z.string() });
const actionTests = z
  .object({
    discoveryTests: z.array(z.object({ inputPath: z.string(), result: z.array(action) })),
    actionTests: z.array(
      z.object({ action: z.string(), inputPath: z.string(), expectedOutputPath: z.string() }),
    ),
  })
  .parse(parse(read("actions/action_test.yaml")));
const inActions = (path: string): string => join("actions", path);

/** Scripts of argocd-cm, and scripts that came with Argo CD. */
const modes = [
  ["without open libraries", false],
  ["with open libraries", true],
] as const;

test("the test data is what the operator reports today (`npm run generate:states` writes it)", () => {
  expect(Object.fromEntries(Object.keys(testData()).map((path) => [path, read(path)]))).toEqual(testData());
});

test("there are states of every kind, and of both kinds of an outdated status", () => {
  const counted = Object.groupBy(states, ({ argocd }) => argocd);
  expect(Object.keys(counted).sort()).toEqual(["Degraded", "Healthy", "Progressing", "Suspended"]);
  expect(states.length).toBeGreaterThanOrEqual(15);
  expect(states.map(({ name }) => name)).toEqual(expect.arrayContaining(["stale-ready", "stale-stalled"]));
});

describe.each(modes)("in Argo CD's engine, %s", (_, openLibs) => {
  test("health.lua says of every state what it should", async () => {
    const answers = await runLua(
      healthTests.map(({ inputPath }) => ({
        script: read("health.lua"),
        object: object(inputPath),
        openLibs,
      })),
    );
    expect(
      answers.map(({ result, error }, index) => ({ ...healthTests[index], healthStatus: result ?? error })),
    ).toEqual(healthTests);
  });

  test("discovery.lua offers the actions that make sense", async () => {
    const { discoveryTests } = actionTests;
    const answers = await runLua(
      discoveryTests.map(({ inputPath }) => ({
        script: read("actions/discovery.lua"),
        object: object(inActions(inputPath)),
        openLibs,
      })),
    );
    const offered = z.record(z.string(), action.omit({ name: true }));
    expect(
      answers.map(({ result }, index) => ({
        inputPath: discoveryTests[index]?.inputPath,
        result: Object.entries(offered.parse(result))
          .map(([name, rest]) => ({ name, ...rest }))
          .sort((a, b) => a.name.localeCompare(b.name)),
      })),
    ).toEqual(
      discoveryTests.map(({ inputPath, result }) => ({
        inputPath,
        result: [...result].sort((a, b) => a.name.localeCompare(b.name)),
      })),
    );
  });

  test("an action changes annotations of the operator's, and nothing that Git could own", async () => {
    const tests = actionTests.actionTests;
    const answers = await runLua(
      tests.map(({ action, inputPath }) => ({
        script: read(`actions/${action}/action.lua`),
        object: object(inActions(inputPath)),
        openLibs,
      })),
    );
    for (const [index, { inputPath, expectedOutputPath }] of tests.entries()) {
      const { result, error } = answers[index] ?? {};
      expect(error).toBeUndefined();
      const output = document.parse(restored(result, object(inActions(inputPath))));
      const expected = object(inActions(expectedOutputPath));
      const restart = output.metadata.annotations?.[annotations.restart];
      if (expected.metadata.annotations?.[annotations.restart] === now) {
        expect(restart).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
        Object.assign(output.metadata.annotations ?? {}, { [annotations.restart]: now });
      }
      expect(output).toEqual(expected);
      const changed = Object.entries(expected.metadata.annotations ?? {}).map(([name]) => name);
      expect(changed.every((name) => name.startsWith("mimo.dev/"))).toBe(true);
    }
  });
});

test("the mode without open libraries has none, and a script that doesn't end is ended", async () => {
  const answers = await runLua([
    { script: 'return {status = string.format("%s", "Healthy")}', object: {}, openLibs: false },
    { script: "while true do end", object: {}, openLibs: true },
  ]);
  expect(answers.map(({ error }) => error ?? "")).toEqual([
    expect.stringContaining("attempt to index a non-table object(nil)"),
    expect.stringContaining("context deadline exceeded"),
  ]);
});

test("the patch for argocd-cm holds these scripts", () => {
  const file = resolve(import.meta.dirname, "../../charts/generated/argocd-cm.yaml");
  const { data } = z
    .object({ data: z.record(z.string(), z.string()) })
    .parse(parse(readFileSync(file, "utf8")));
  expect(data["resource.customizations.health.mimo.dev_MiMoDeployment"]).toBe(read("health.lua"));
  const actions = parse(data["resource.customizations.actions.mimo.dev_MiMoDeployment"] ?? "");
  expect(actions).toEqual({
    "discovery.lua": read("actions/discovery.lua"),
    definitions: ["suspend", "resume", "restart", "rollback"].map((name) => ({
      name,
      "action.lua": read(`actions/${name}/action.lua`),
    })),
  });
});

/** Lua can't tell an empty map from an empty list; Argo CD puts back the map that was there. */
function restored(value: unknown, before: unknown): unknown {
  if (Array.isArray(value) && value.length === 0 && !Array.isArray(before)) return before;
  if (Array.isArray(value))
    return value.map((item, index) => restored(item, Array.isArray(before) ? before[index] : undefined));
  if (typeof value !== "object" || value === null) return value;
  const old = z.record(z.string(), z.unknown()).safeParse(before).data ?? {};
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, restored(item, old[key])]));
}
