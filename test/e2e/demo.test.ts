/** The demonstration as a user runs it: from nothing to Ready, and nothing left of it afterwards. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bootControlPlane } from "../controlplane/boot.ts";
import { installComputeDomains, startComputeDomainDriver } from "../controlplane/compute-domains.ts";
import { kubectl } from "../controlplane/kubectl.ts";
import { STAGES, startKwok } from "../controlplane/kwok.ts";
import { createGpuNodes, gpuNode } from "../controlplane/nodes.ts";

const timeoutMilliseconds = 600_000;

let temporary: string;
let running: ChildProcess | undefined;
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), "mimo-demo-test-"));
});
afterEach(async () => {
  if (running !== undefined && running.exitCode === null) {
    running.kill("SIGTERM");
    await once(running, "exit");
  }
  running = undefined;
  await rm(temporary, { recursive: true, force: true });
});

/** `mimo demo` with its temporary files in a folder of its own. */
function startDemo(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const program = join(import.meta.dirname, "../../operator/cli/mimo.ts");
  const child = spawn(process.execPath, [program, "demo", ...args], {
    env: { ...process.env, ...env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running = child;
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const ended = once(child, "close").then(([code]: unknown[]) => ({ code, output }));
  return {
    ended,
    /** Waits until the output so far matches. @throws Error when the program ends before that. */
    async saw(pattern: RegExp): Promise<RegExpExecArray> {
      for (;;) {
        const match = pattern.exec(output);
        if (match !== null) return match;
        const over = await Promise.race([
          once(child.stdout, "data").then(() => false),
          ended.then(() => true),
        ]);
        if (over) throw new Error(`the demonstration ended before ${pattern} was seen:\n${output}`);
      }
    },
    child,
  };
}

describe("mimo demo", { timeout: timeoutMilliseconds }, () => {
  it("--once takes the examples to Ready, ends with 0 and leaves nothing", async () => {
    const { code, output } = await startDemo(["--once"]).ended;
    expect({ code, output }).toEqual({ code: 0, output: expect.stringMatching(/All Ready after [\d.]+ s/) });
    expect(output).toMatch(/flash +MiMo-V2-Flash +H200 +1 +1 +Ready/);
    expect(output).toMatch(/v25 +MiMo-V2\.5 +B200 +1 +1 +Ready/);
    expect(output).toMatch(/pro +MiMo-V2\.5-Pro +GB300 +1 +1 +Ready/);
    expect(output).toMatch(/pro-0-0 +pro +gb300-\d +Ready\npro-0-1 +pro +gb300-\d +Ready/);
    expect(output).not.toContain("\x1b");
    expect(await readdir(temporary)).toEqual([]);
  });

  it("stays until Ctrl-C, shows lines that work, gives the operator no more than its roles, and cleans up", async () => {
    const demo = startDemo([]);
    const [, kubeconfig = "", programs = ""] = await demo.saw(/export KUBECONFIG=(\S+) PATH=(\S+):\$PATH/);
    await demo.saw(/All Ready/);
    const cluster = { binaries: { kubectl: join(programs, "kubectl") }, kubeconfig };
    const [directory = ""] = await readdir(temporary);
    const asOperator = ["--kubeconfig", join(temporary, directory, "operator.kubeconfig")];
    expect(await kubectl(cluster, ["-n", "mimo-demo", "get", "mimo", "-o", "wide"])).toMatchObject({
      code: 0,
    });
    expect((await kubectl(cluster, [...asOperator, "auth", "can-i", "get", "secrets", "-A"])).stdout).toBe(
      "no\n",
    );
    expect((await kubectl(cluster, [...asOperator, "auth", "can-i", "list", "pods", "-A"])).stdout).toBe(
      "yes\n",
    );
    await kubectl(cluster, ["-n", "mimo-demo", "scale", "mimo", "flash", "--replicas=2"]);
    await demo.saw(/flash +MiMo-V2-Flash +H200 +2 +2 +Ready/);

    demo.child.kill("SIGINT");
    expect(await demo.ended).toMatchObject({ code: 0 });
    expect(await readdir(temporary)).toEqual([]);
    expect((await kubectl(cluster, ["get", "nodes", "--request-timeout=5s"])).code).not.toBe(0);
  });

  it("--context uses a cluster that is there, after asking, and takes everything out again", async () => {
    const directory = join(temporary, "cluster");
    const cluster = await bootControlPlane({ directory, audit: false, prepare: installComputeDomains });
    const stopDriver = startComputeDomainDriver(cluster);
    try {
      startKwok(cluster, { stages: STAGES.fast });
      const kinds = ["H200", "B200", "GB300", "GB300"] as const;
      await createGpuNodes(
        cluster,
        kinds.map((kind, index) => gpuNode({ kind, name: `${kind.toLowerCase()}-${index}` })),
      );
      const env = { KUBECONFIG: cluster.kubeconfig };

      const unasked = await startDemo(["--once", "--context", "loopback"], env).ended;
      expect(unasked).toEqual({ code: 1, output: expect.stringContaining("add --yes") });

      const agreed = await startDemo(["--once", "--context", "loopback", "--yes"], env).ended;
      expect(agreed).toEqual({ code: 0, output: expect.stringContaining("All Ready") });
      const left = await kubectl(cluster, [
        "get",
        "namespaces,customresourcedefinitions,clusterroles",
        "-o",
        "name",
      ]);
      expect(left.stdout).toContain("namespace/default");
      expect(left.stdout).not.toContain("mimo");

      await kubectl(cluster, [
        "apply",
        "--server-side",
        "-f",
        join(import.meta.dirname, "../../charts/generated/crds.yaml"),
      ]);
      const taken = await startDemo(["--once", "--context", "loopback", "--yes"], env).ended;
      expect(taken).toEqual({ code: 1, output: expect.stringContaining("has mimo-operator's CRDs already") });
      const kept = await kubectl(cluster, ["get", "customresourcedefinition", "mimodeployments.mimo.dev"]);
      expect(kept.code).toBe(0);
    } finally {
      stopDriver();
      await cluster.stop();
    }
  });

  it("--context leaves out, and says so, what a cluster without NVIDIA's DRA driver can't serve", async () => {
    const cluster = await bootControlPlane({ directory: join(temporary, "cluster"), audit: false });
    try {
      startKwok(cluster, { stages: STAGES.fast });
      const nodes = (["H200", "B200"] as const).map((kind) => gpuNode({ kind, name: kind.toLowerCase() }));
      await createGpuNodes(cluster, nodes);
      const env = { KUBECONFIG: cluster.kubeconfig };
      const { code, output } = await startDemo(["--once", "--context", "loopback", "--yes"], env).ended;
      expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining("All Ready") });
      expect(output).toContain("leaving out examples/v2.5-pro-gb300.yaml");
      expect(output).not.toContain("MiMo-V2.5-Pro");
    } finally {
      await cluster.stop();
    }
  });
});
