import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { serviceAccountKubeconfig } from "../controlplane/kubeconfig.ts";
import { createGpuNodes, gpuNode } from "../controlplane/nodes.ts";
import { freePort } from "../controlplane/ports.ts";
import { type LogServer, serveLogs } from "../ranks/log-server.ts";
import { type Ended, root, mimo as run } from "../unit/cli/run.ts";
import { startCluster, type TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { type RunningOperator, startOperator } from "./operator.ts";

let cluster: TestCluster;
let operator: RunningOperator;
let logServer: LogServer;

beforeAll(async () => {
  cluster = await startCluster([]);
  logServer = await serveLogs(cluster.controlPlane, (namespace, pod) => `log of ${namespace}/${pod}\n`);
  const node = (name: string) => gpuNode({ kind: "H200", name, logPort: logServer.port });
  await createGpuNodes(cluster.controlPlane, [node("h200-0"), node("h200-1")]);
  operator = await startOperator(cluster.controlPlane);
});
afterAll(async () => {
  await operator?.stop();
  logServer?.stop();
  await cluster?.stop();
});
afterEach(() => cluster.clear());

const flash = { variant: "MiMo-V2-Flash", hardware: "H200" };
const mimo = (...args: string[]): Promise<Ended> =>
  run([...args, "--kubeconfig", cluster.controlPlane.kubeconfig]);
/** Standard output of a command that has to succeed. */
async function printed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await mimo(...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

describe("mimo status", () => {
  test("shows group, node and endpoint of what serves, for people and for programs", async () => {
    const namespace = await cluster.namespace("status");
    await cluster.apply(namespace, "flash", flash);
    await cluster.becomesReady(namespace, "flash");
    const card = await printed("status", "flash", "-n", namespace);
    expect(card).toMatch(/^status\/flash: MiMo-V2-Flash on H200 {2}Ready\n/);
    expect(card).toMatch(/\n {2}0 +Ready +1\/1 +0 +\w+ +h200-\d\n/);
    expect(card).not.toContain("\u001b");
    expect(await printed("status", "-n", namespace)).toBe(card);
    expect(await printed("status", "-A")).toBe(card);
    expect(JSON.parse(await printed("status", "flash", "-n", namespace, "-o", "json"))).toMatchObject([
      { name: "flash", variant: "MiMo-V2-Flash", replicas: 1, status: { readyReplicas: 1 } },
    ]);
  });

  test("ends with 1 and the operator's reason when one is stuck", async () => {
    const namespace = await cluster.namespace("stuck");
    await cluster.apply(namespace, "flash", { ...flash, server: { extraArgs: ["--tp-size=4"] } });
    await cluster.condition(namespace, "flash", "Stalled", "True");
    const { code, stdout } = await mimo("status", "flash", "-n", namespace);
    expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringContaining("--tp-size") });
  });

  test("--watch says a line for each change where there is no terminal", async () => {
    const namespace = await cluster.namespace("watch");
    await cluster.apply(namespace, "flash", { ...flash, replicas: 0 });
    await cluster.becomesReady(namespace, "flash");
    const args = ["status", "--watch", "-n", namespace, "--kubeconfig", cluster.controlPlane.kubeconfig];
    const child = spawn(process.execPath, [join(root, "operator/cli/mimo.ts"), ...args]);
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    try {
      await eventually("the first line", async () => said.includes("flash: ScaledToZero: "));
      await cluster.apply(namespace, "flash", flash);
      await eventually("the change", async () => said.includes("flash: Ready: 1 of 1"));
      const lines = said.trim().split("\n");
      expect(new Set(lines).size).toBe(lines.length);
    } finally {
      child.kill();
      await once(child, "exit");
    }
  });
});

describe("mimo rollback", () => {
  test("brings the earlier revision back, as history and diff say, until it is taken back itself", async () => {
    const namespace = await cluster.namespace("back");
    await cluster.apply(namespace, "flash", flash);
    await cluster.becomesReady(namespace, "flash");
    const first = (await cluster.status(namespace, "flash")).plan?.revision ?? "";
    expect((await mimo("rollback", "flash", "-n", namespace)).stderr).toContain("nothing to go back to");

    await cluster.apply(namespace, "flash", { ...flash, contextLength: 65_536 });
    await cluster.becomesReady(namespace, "flash");
    const second = (await cluster.status(namespace, "flash")).plan?.revision ?? "";
    const change = "option --context-length 262144 → 65536";
    expect((await printed("history", "flash", "-n", namespace)).split("\n").slice(1)).toEqual([
      expect.stringMatching(new RegExp(`^1 +${first} +\\d+s +0$`)),
      expect.stringMatching(new RegExp(`^2 +${second} +\\d+s +1 +current, last good$`)),
      `  ${change}`,
      "",
    ]);
    expect(await printed("diff", "flash", "-n", namespace)).toBe(`From revision 1 to 2:\n  ${change}\n`);

    const told = await printed("rollback", "flash", "-n", namespace);
    expect(told).toContain("flash goes back from revision 2 to 1");
    expect(told).toContain("option --context-length 65536 → 262144");
    await cluster.condition(namespace, "flash", "Ready", "True", "RolledBack");
    expect((await cluster.status(namespace, "flash")).groups?.map(({ revision }) => revision)).toEqual([
      first,
    ]);
    expect((await printed("history", "flash", "-n", namespace)).split("\n").slice(1, 3)).toEqual([
      expect.stringMatching(/^1 .* 1 +current, last good$/),
      expect.stringMatching(/^2 .* 0 +rolled back$/),
    ]);
    expect(await printed("rollback", "flash", "-n", namespace)).toContain("is to run revision 1 already");
    expect(await printed("events", "flash", "-n", namespace)).toMatch(/GroupUpdating +mimodeployment\/flash/);

    expect(await printed("rollback", "flash", "-n", namespace, "--to-revision", "2")).toContain(
      "the rollback is over",
    );
    await cluster.condition(namespace, "flash", "Ready", "True", "Ready");
    expect((await cluster.status(namespace, "flash")).groups?.map(({ revision }) => revision)).toEqual([
      second,
    ]);
  });
});

describe("mimo logs", () => {
  test("copies the log of a rank, and says when there is no such rank", async () => {
    const namespace = await cluster.namespace("logs");
    await cluster.apply(namespace, "flash", flash);
    await cluster.becomesReady(namespace, "flash");
    expect(await printed("logs", "flash", "-n", namespace)).toBe("log of logs/flash-0-0\n");
    expect(await mimo("logs", "flash", "-n", namespace, "--rank", "1")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("there is no pod flash-0-1"),
    });
  });
});

describe("mimo doctor", () => {
  const report = z.object({
    cluster: z.array(z.object({ about: z.string(), verdict: z.string(), found: z.string() })),
    pairs: z.array(
      z.object({ variant: z.string(), hardware: z.string(), decisive: z.object({ verdict: z.string() }) }),
    ),
  });

  test("says what the cluster can serve, and what keeps it from the rest", async () => {
    const { cluster: checks, pairs } = report.parse(JSON.parse(await printed("doctor", "-o", "json")));
    const verdicts = Object.fromEntries(checks.map(({ about, verdict }) => [about, verdict]));
    // Here the operator is a process.
    expect(verdicts).toMatchObject({ Kubernetes: "ok", CRDs: "ok", Operator: "failed", "GPU nodes": "ok" });
    const served = pairs.filter(({ decisive }) => decisive.verdict === "ok").map(({ hardware }) => hardware);
    expect(new Set(served)).toEqual(new Set(["H200"]));
  });

  test("ends with 1 for a pair that can't be served, with the reason", async () => {
    const { code, stdout } = await mimo("doctor", "--variant", "MiMo-V2.5-Pro", "--hardware", "GB300");
    expect(code).toBe(1);
    expect(stdout).toMatch(/✘ fails +Nodes +no node has nvidia\.com\/gpu\.product=NVIDIA-GB300/);
    expect(stdout).not.toContain("\u001b");
  });

  test("leaves unknown what its user may not see", async () => {
    const kubeconfig = await serviceAccountKubeconfig(cluster.controlPlane, "default", "default");
    const { code, stdout } = await run(["doctor", "--kubeconfig", kubeconfig]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/\? unknown +GPU nodes +these credentials may not see it/);
  });
});

describe("what keeps a command from its work is said in words", () => {
  test("a name that is not there", async () => {
    expect(await mimo("history", "nobody")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^error: there is no MiMoDeployment nobody in namespace default: /),
    });
  });

  test("a revision that is not there", async () => {
    const namespace = await cluster.namespace("revisions");
    await cluster.apply(namespace, "flash", { ...flash, replicas: 0 });
    await cluster.becomesReady(namespace, "flash");
    expect(await mimo("rollback", "flash", "-n", namespace, "--to-revision", "7")).toMatchObject({
      code: 1,
      stderr: "error: there is no revision 7; there are: 1\n",
    });
  });

  test("a user who may not", async () => {
    const kubeconfig = await serviceAccountKubeconfig(cluster.controlPlane, "default", "default");
    expect(await run(["status", "--kubeconfig", kubeconfig])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: .*403.*ask for the role view/),
    });
  });

  test("an API server that isn't there", async () => {
    const kubeconfig = join(cluster.controlPlane.directory, "nobody.kubeconfig");
    const server = `https://127.0.0.1:${await freePort()}`;
    await writeFile(
      kubeconfig,
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name: "gone", cluster: { server } }],
        users: [{ name: "me", user: { token: "x" } }],
        contexts: [{ name: "gone", context: { cluster: "gone", user: "me" } }],
        "current-context": "gone",
      }),
    );
    expect(await run(["status", "--kubeconfig", kubeconfig])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: the API server https:\S+ gives no answer \(.*ECONNREFUSED/),
    });
    expect(await run(["status", "--kubeconfig", kubeconfig, "--context", "other"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no context "other"; it has: gone'),
    });
  });
});
