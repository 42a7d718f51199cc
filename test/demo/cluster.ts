/** The cluster that the demonstration runs on: one of its own, or one that is there already. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ensureBinaries } from "../controlplane/binaries.ts";
import { bootControlPlane } from "../controlplane/boot.ts";
import { type Components, createComponents } from "../controlplane/components.ts";
import { installComputeDomains, startComputeDomainDriver } from "../controlplane/compute-domains.ts";
import type { Progress } from "../controlplane/go-programs.ts";
import { STAGES, startKwok } from "../controlplane/kwok.ts";
import { createGpuNodes, gpuNode } from "../controlplane/nodes.ts";

export interface Cluster {
  /** For logs and kubeconfigs; `stop` removes it. */
  readonly directory: string;
  readonly components: Components;
  /** Shell lines after which a plain `kubectl` talks to this cluster. */
  readonly shellSetup: readonly string[];
  /** Standard output of kubectl. @throws Error with its standard error when it fails. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** Ends every process that was started for it, and leaves no file. */
  stop(): Promise<void>;
}

/** Both nodes of a GB300 group have to be in one NVLink domain. */
const gpuNodes = (["H20", "H100", "H200", "B200", "GB300"] as const).flatMap((kind) =>
  [0, 1].map((index) => gpuNode({ kind, name: `${kind.toLowerCase()}-${index}` })),
);

/** A control plane on this machine, with two fake nodes of each kind of GPU. Its pods take some seconds to load. */
export async function startCluster(
  onProgress: Progress,
  onDirectory: (path: string) => void,
): Promise<Cluster> {
  const directory = await mkdtemp(join(tmpdir(), "mimo-demo-"));
  onDirectory(directory);
  const controlPlane = await bootControlPlane({
    directory,
    audit: false,
    onProgress,
    prepare: installComputeDomains,
  });
  const stopDriver = startComputeDomainDriver(controlPlane);
  try {
    onProgress(`creating ${gpuNodes.length} GPU nodes`);
    startKwok(controlPlane, { stages: STAGES.loading });
    await createGpuNodes(controlPlane, gpuNodes);
  } catch (error) {
    stopDriver();
    await controlPlane.stop();
    throw error;
  }
  const { kubectl: program } = controlPlane.binaries;
  return {
    directory,
    components: controlPlane.components,
    shellSetup: [`export KUBECONFIG=${controlPlane.kubeconfig} PATH=${dirname(program)}:$PATH`],
    kubectl: (args, input) => runKubectl(program, ["--kubeconfig", controlPlane.kubeconfig, ...args], input),
    async stop() {
      stopDriver();
      await controlPlane.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The cluster of a context of the user's kubeconfig. Nothing is written there by this. */
export async function useCluster(context: string, onProgress: Progress): Promise<Cluster> {
  const { kubectl: program } = await ensureBinaries(["kubectl"], onProgress);
  const directory = await mkdtemp(join(tmpdir(), "mimo-demo-"));
  const components = createComponents(directory, ({ name }) => onProgress(`${name} ended`));
  return {
    directory,
    components,
    shellSetup: [`kubectl config use-context ${context}`],
    kubectl: (args, input) => runKubectl(program, ["--context", context, ...args], input),
    async stop() {
      await components.stopAll();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function runKubectl(program: string, args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    // Out of reach of the terminal's Ctrl-C, since cleaning up needs it.
    const child = spawn(program, args, { detached: true });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(stdout);
      else
        reject(new Error(`kubectl ${args.slice(2).join(" ")} failed: ${stderr.trim() || `status ${code}`}`));
    });
    // A command that ends before it read its input closes the pipe; its status tells the reason.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}
