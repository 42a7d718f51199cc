/** docs/getting-started.md as a newcomer would follow it: a fresh control plane, and nothing but the page's commands. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootControlPlane, type ControlPlane } from "../controlplane/boot.ts";
import { STAGES, startKwok } from "../controlplane/kwok.ts";
import { createGpuNodes, gpuNode } from "../controlplane/nodes.ts";
import { consoleExamples } from "../unit/docs/markdown.ts";
import { type RunningOperator, startOperator } from "./operator.ts";
import { runCommand, settled } from "./page-commands.ts";

const root = resolve(import.meta.dirname, "../..");
let directory: string;
let controlPlane: ControlPlane;
let operator: RunningOperator | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mimo-getting-started-"));
  controlPlane = await bootControlPlane({ directory, audit: false });
  startKwok(controlPlane, { stages: STAGES.fast });
  const gpuNodes = ["h200-0", "h200-1"].map((name) => gpuNode({ kind: "H200", name }));
  const plain = { ...gpuNode({ kind: "H200", name: "plain-0" }), spec: { taints: [] } };
  await createGpuNodes(controlPlane, [
    ...gpuNodes,
    { ...plain, metadata: { ...plain.metadata, labels: {} } },
  ]);
});
afterAll(async () => {
  await operator?.stop();
  await controlPlane?.stop();
  await rm(directory, { recursive: true, force: true });
});

test("every command does what the page says, to a model that is Ready and gone again", async () => {
  const page = await readFile(join(root, "docs/getting-started.md"), "utf8");
  const examples = consoleExamples(page).filter(({ command }) => command !== "npm ci");
  expect(examples.length).toBeGreaterThan(12);
  for (const { command, output } of examples) {
    const { failed, stdout, stderr } = await runCommand(command, controlPlane);
    expect(failed, `${command}: ${stderr}`).toBe(output.startsWith("The MiMoDeployment"));
    if (output.trim() !== "") expect(settled(failed ? stderr : stdout), command).toBe(settled(output));
    // The nodes are fake, and so is the operator's pod on them.
    if (command.includes(" install ")) operator = await startOperator(controlPlane);
  }
});
