import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readDocuments } from "../../../operator/cli/documents.ts";
import { reviewFiles } from "../../../operator/cli/requests.ts";
import { root } from "./run.ts";

const folder = join(root, "examples");
const files = (await readdir(folder)).filter((name) => name.endsWith(".yaml"));
const path = (name: string): string => join(folder, name);

it.each(files)("examples/%s is planned as it stands, and fits", async (name) => {
  const { outcomes, findings } = await reviewFiles([path(name)], undefined, process.stdin);
  expect(findings).toEqual([]);
  const fits = outcomes.map((outcome) => outcome.accepted && outcome.plan.memory.fits);
  expect(fits).toEqual(name === "platform.yaml" ? [] : [true]);
});

it("every example is planned with the example platform, too", async () => {
  const deployments = files.filter((name) => name !== "platform.yaml").map(path);
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
