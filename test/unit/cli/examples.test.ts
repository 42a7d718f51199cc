import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readDocuments } from "../../../operator/cli/documents.ts";
import { reviewFiles } from "../../../operator/cli/requests.ts";
import { root } from "./run.ts";

const folder = join(root, "examples");
const files = (await readdir(folder)).filter((name) => name.endsWith(".yaml"));
const isPlatform = (name: string): boolean => name.startsWith("platform");
const path = (name: string): string => join(folder, name);

it.each(files)("examples/%s is planned as it stands, and fits", async (name) => {
  const { outcomes, findings } = await reviewFiles([path(name)], undefined, process.stdin);
  expect(findings).toEqual([]);
  const fits = outcomes.map((outcome) => outcome.accepted && outcome.plan.memory.fits);
  expect(fits).toEqual(isPlatform(name) ? [] : [true]);
});

it.each(files.filter(isPlatform))("every example is planned with %s, too", async (name) => {
  const deployments = files.filter((file) => !isPlatform(file)).map(path);
  const { outcomes, findings } = await reviewFiles(deployments, path(name), process.stdin);
  expect(findings).toEqual([]);
  expect(outcomes.every(({ accepted }) => accepted)).toBe(true);
});

it("the example platform has the checkpoints of all examples that name none", async () => {
  const deployments = files.filter((name) => !isPlatform(name)).map(path);
  const { outcomes, findings } = await reviewFiles(deployments, path("platform.yaml"), process.stdin);
  expect(findings).toEqual([]);
  expect(outcomes.map((outcome) => outcome.accepted && outcome.plan.model.source).sort()).toEqual([
    ...deployments.slice(1).map(() => "HostPath"),
    "PersistentVolumeClaim",
  ]);
});

it.each(["v2-flash-h200.yaml", "v2.5-b200.yaml", "v2.5-pro-gb300.yaml"])(
  "examples/%s gives two fields and leaves the rest to the operator",
  async (name) => {
    const [document] = readDocuments(name, await readFile(path(name), "utf8")).documents;
    expect(document?.value).toMatchObject({ metadata: { name: expect.any(String) } });
    expect(document?.value).toHaveProperty("spec", {
      variant: expect.any(String),
      hardware: expect.any(String),
    });
  },
);
