import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { installObjects } from "../../charts/install.ts";
import { installValues } from "../../charts/install-values.ts";
import { readInstallValues } from "../../operator/cli/install-options.ts";
import { mimo } from "../unit/cli/run.ts";
import { ensureInstallPrograms } from "./programs.ts";
import { valueSets } from "./value-sets.ts";

const chart = join(import.meta.dirname, "../../charts/generated/helm");

let helm: string;
let folder: string;
beforeAll(async () => {
  ({ helm } = await ensureInstallPrograms((line) => console.error(line)));
  folder = await mkdtemp(join(tmpdir(), "mimo-helm-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const shape = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});
/** Objects of a text by kind, namespace and name. */
const objectsOf = (text: string) =>
  byIdentity(parseAllDocuments(text).flatMap((document) => document.toJS() ?? []));
const byIdentity = (objects: readonly unknown[]) =>
  Object.fromEntries(
    objects
      .map((object) => shape.parse(object))
      .map((object) => [`${object.kind} ${object.metadata.namespace}/${object.metadata.name}`, object]),
  );

async function valuesFile(values: object): Promise<string> {
  // JSON: what is text to one version of YAML is a truth value to another.
  const path = join(folder, "values.json");
  await writeFile(path, JSON.stringify(values));
  return path;
}

const template = async (values: object): Promise<string> => {
  const args = ["template", "release", chart, "--namespace", "ops", "--values", await valuesFile(values)];
  return (await promisify(execFile)(helm, args, { maxBuffer: 64 * 2 ** 20 })).stdout;
};

test("helm lint finds nothing wrong with the chart", async () => {
  const { stdout } = await promisify(execFile)(helm, ["lint", "--strict", chart]);
  expect(stdout).toContain("0 chart(s) failed");
});

describe("the chart gives what `mimo install --values` prints", () => {
  test("for at least 15 sets of values", () => {
    expect(Object.keys(valueSets).length).toBeGreaterThanOrEqual(15);
  });

  test.each(Object.keys(valueSets))("%s", async (name) => {
    const values = valueSets[name] ?? {};
    const printed = await mimo(["install", "-n", "ops", "--values", await valuesFile(values)]);
    expect(printed.stderr).toBe("");
    const { "Namespace undefined/ops": _, ...objects } = objectsOf(printed.stdout);
    expect(objectsOf(await template(values))).toEqual(objects);
  });

  test("for values nobody thought of", async () => {
    const word = fc.stringMatching(/^[a-z]([a-z0-9.-]{0,8}[a-z0-9])?$/);
    const words = fc.dictionary(word, fc.string({ maxLength: 12 }), { maxKeys: 2 });
    const values = fc.record(
      {
        part: fc.constantFrom("all", "cluster", "namespace"),
        namespaces: fc.uniqueArray(word, { maxLength: 2 }),
        nodeReaders: fc.uniqueArray(word, { maxLength: 2 }),
        replicas: fc.integer({ min: 1, max: 9 }),
        logAccess: fc.boolean(),
        admissionPolicies: fc.boolean(),
        networkPolicy: fc.boolean(),
        imagePullSecrets: fc.uniqueArray(word, { maxLength: 2 }),
        podMonitor: fc.record({ enabled: fc.boolean(), labels: words }, { requiredKeys: [] }),
        podLabels: words,
        podAnnotations: words,
        nodeSelector: words,
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(values, async (given) => {
        const expected = installObjects(installValues.parse(given), "ops");
        expect(objectsOf(await template(given))).toEqual(byIdentity(JSON.parse(JSON.stringify(expected))));
      }),
      { numRuns: 25 },
    );
  });
});

describe("what one refuses the other refuses", () => {
  test.each([
    { replicas: 0 },
    { replicas: "2" },
    { imge: {} },
    { image: { tags: "1" } },
    { part: "half" },
    { namespaces: "team-a" },
    { namespaces: ["Team"] },
    { podMonitor: { interval: "soon" } },
    { resources: { limits: { memory: "much" } } },
    { tolerations: [{ kye: "a" }] },
    { nodeSelector: { a: 1 } },
  ])("%o", async (values) => {
    const read = await readInstallValues([await valuesFile(values)], {}, process.stdin);
    expect(read).toHaveProperty("refusals");
    await expect(template(values)).rejects.toThrow("values don't meet the specifications of the schema");
  });
});
