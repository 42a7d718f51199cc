import { globSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { callApi } from "../controlplane/api.ts";
import { kubectl } from "../controlplane/kubectl.ts";
import { deploymentsPath, startCluster, type TestCluster } from "../e2e/cluster.ts";
import { type RunningOperator, startOperator } from "../e2e/operator.ts";

const folder = resolve(import.meta.dirname, "../../examples");
const files = globSync("*.yaml", { cwd: folder }).sort();
/** Its platform would lift the limits. */
const bringsPlatform = "private-registry.yaml";
const isPlatform = (file: string): boolean => file.startsWith("platform");

let cluster: TestCluster;
let operator: RunningOperator;
beforeAll(async () => {
  cluster = await startCluster();
  operator = await startOperator(cluster.controlPlane);
  // As platform-limits.yaml asks of who uses GB300.
  await callApi(cluster.controlPlane, "/api/v1/namespaces/default", {
    method: "PATCH",
    body: { metadata: { labels: { team: "research" } } },
    contentType: "application/merge-patch+json",
  });
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});

const apply = (...args: readonly string[]) =>
  kubectl(cluster.controlPlane, ["apply", "--server-side", "--force-conflicts", "-n", "default", ...args]);

test.each(files.filter(isPlatform))("examples/%s is taken by the API server", async (file) => {
  expect(await apply("-f", join(folder, file))).toMatchObject({ code: 0, stderr: "" });
});

test("every example is taken and accepted, under the limits of the example", async () => {
  expect(await apply("-f", join(folder, bringsPlatform))).toMatchObject({ code: 0 });
  expect(await apply("-f", join(folder, "platform-limits.yaml"))).toMatchObject({ code: 0 });
  const examples = files.filter((file) => !isPlatform(file) && file !== bringsPlatform);
  const applied = await apply(...examples.flatMap((file) => ["-f", join(folder, file)]));
  expect(applied).toMatchObject({ code: 0, stderr: "" });
  const deployments = await cluster.list(deploymentsPath("default"));
  expect(deployments.length).toBeGreaterThan(5);
  for (const { metadata } of deployments)
    await cluster.condition("default", metadata.name, "Accepted", "True");
});
