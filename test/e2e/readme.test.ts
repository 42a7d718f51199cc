/** README's tour as a newcomer would follow it: `make demo`, and its commands in another terminal. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { consoleExamples, sectionOf } from "../unit/docs/markdown.ts";
import { eventually } from "./eventually.ts";
import { runCommand, settled } from "./page-commands.ts";

const root = resolve(import.meta.dirname, "../..");
let tour: string;
let temporary: string;
let demo: ChildProcess;
let said = "";

beforeAll(async () => {
  tour = sectionOf(await readFile(join(root, "README.md"), "utf8"), "## A minute's tour");
  temporary = await mkdtemp(join(tmpdir(), "mimo-readme-"));
});
afterAll(async () => {
  await interrupt();
  await rm(temporary, { recursive: true, force: true });
});

/** Ctrl-C reaches every process of a terminal. */
async function interrupt(): Promise<void> {
  if (demo?.pid === undefined || demo.exitCode !== null || demo.signalCode !== null) return;
  const ended = once(demo, "exit");
  process.kill(-demo.pid, "SIGINT");
  await ended;
}

/** The page shows what changes in time once; "..." stands for what it leaves out. */
function expectInOrder(text: string, shown: string): void {
  let from = 0;
  for (const part of shown.split(/^\.\.\.$/m)) {
    const at = settled(text).indexOf(settled(part), from);
    expect(at, `${settled(part)}\n\nis not in\n\n${settled(text)}`).toBeGreaterThanOrEqual(0);
    from = at;
  }
}

const inTerminal = () => {
  const [, kubeconfig = "", programs = ""] = /export KUBECONFIG=(\S+) PATH=(\S+):\$PATH/.exec(said) ?? [];
  return { kubeconfig, binaries: { kubectl: join(programs, "kubectl") } };
};

const conditions = z.array(z.looseObject({ type: z.string() }));
const status = z.looseObject({ conditions });

test("make demo shows what the page shows", async () => {
  const [first] = consoleExamples(tour);
  expect(first?.command).toBe("make demo");
  // What it needs first is there: this test runs from it.
  const args = ["-o", "install", "-o", "controlplane", "demo"];
  const env = { ...process.env, TMPDIR: temporary };
  demo = spawn("make", args, { cwd: root, env, detached: true, stdio: ["ignore", "pipe", "inherit"] });
  demo.stdout?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  await eventually("all are Ready", async () => said.includes("All Ready") || undefined, 180);
  expectInOrder(said, first?.output ?? "");
});

test("the status says what the page says", async () => {
  const [, block = ""] = /```yaml\n(status:[\s\S]*?)```/.exec(tour) ?? [];
  const { conditions: shown, ...rest } = status.parse(parse(withoutNames(block)).status);
  const { stdout } = await runCommand("kubectl -n mimo-demo get mimo pro -o json", inTerminal());
  const stored = status.parse(JSON.parse(withoutNames(stdout)).status);
  expect(shown.length).toBeGreaterThan(0);
  for (const condition of shown) expect(stored.conditions).toContainEqual(expect.objectContaining(condition));
  expect(stored).toMatchObject(rest);
});
const withoutNames = (text: string): string =>
  text.replaceAll(/gb300-\d/g, "NODE").replaceAll(/("?revision"?: "?)[a-z]{12}/g, "$1REVISION");

test("every further command does what the page says", async () => {
  const [, ...examples] = consoleExamples(tour);
  expect(examples.length).toBeGreaterThan(5);
  for (const { command, output } of examples) {
    // What it is about may take a moment.
    await eventually(command, async () => {
      const { failed, stdout, stderr } = await runCommand(command, inTerminal());
      expect(failed, stderr).toBe(output.startsWith("The MiMoDeployment"));
      if (output.trim() !== "") expect(settled(failed ? stderr : stdout)).toBe(settled(output));
      return true;
    });
  }
});

test("Ctrl-C ends it and cleans up", async () => {
  await interrupt();
  // npm keeps a cache there.
  expect((await readdir(temporary)).filter((name) => name.startsWith("mimo"))).toEqual([]);
});
