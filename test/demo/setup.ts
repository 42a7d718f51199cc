/** What the demonstration puts into a cluster, and how it takes it out again. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { installObjects, operatorNamespaceObject } from "../../charts/install.ts";
import { installValues } from "../../charts/install-values.ts";
import { operatorName } from "../../charts/rbac.ts";
import { toYaml } from "../../charts/yaml.ts";
import type { Progress } from "../controlplane/go-programs.ts";
import type { Cluster } from "./cluster.ts";

export const namespace = "mimo-demo";
const operatorNamespace = "mimo-system";
const root = join(import.meta.dirname, "../..");
const example = (name: string): string => join(root, "examples", `${name}.yaml`);
const anywhere = ["v2-flash-h200", "v2.5-b200"];
const onComputeDomains = "v2.5-pro-gb300";

/** All of the installation but the operator's Deployment: the operator runs as a process of this machine. */
const installation = toYaml([
  ...operatorNamespaceObject(operatorNamespace),
  ...installObjects(installValues.parse({}), operatorNamespace).filter(
    ({ kind }) => kind !== "Deployment" && kind !== "PodDisruptionBudget",
  ),
]);

/** @throws Error when the cluster has an operator already, since taking ours out would take its parts along. */
export async function refuseInstalled(cluster: Cluster): Promise<void> {
  if (!(await isDefined(cluster, "mimodeployments.mimo.dev"))) return;
  throw new Error(
    "this cluster has mimo-operator's CRDs already, and the demonstration would remove them at its end. " +
      "Try the examples there by hand: kubectl apply -f examples/v2-flash-h200.yaml",
  );
}

async function isDefined({ kubectl }: Cluster, definition: string): Promise<boolean> {
  const get = ["get", "customresourcedefinitions", "--ignore-not-found", "-o", "name", definition];
  return (await kubectl(get)).trim() !== "";
}

/** Files of the examples that can become Ready on this cluster, as far as its APIs tell. */
export async function chooseExamples(cluster: Cluster, onProgress: Progress): Promise<string[]> {
  if (await isDefined(cluster, "computedomains.resource.nvidia.com"))
    return [...anywhere, onComputeDomains].map(example);
  onProgress(
    `leaving out examples/${onComputeDomains}.yaml: its ranks need NVLink between nodes, and this cluster serves no ComputeDomains (install NVIDIA's DRA driver for GPUs to have them)`,
  );
  return anywhere.map(example);
}

export async function install({ kubectl }: Cluster): Promise<void> {
  await kubectl(["apply", "--server-side", "-f", "-"], installation);
  await kubectl([
    "wait",
    "--for=condition=Established",
    "--timeout=60s",
    "crd/mimodeployments.mimo.dev",
    "crd/mimoplatforms.mimo.dev",
  ]);
}

export async function applyPlatform({ kubectl }: Cluster): Promise<void> {
  await kubectl(["apply", "--server-side", "-f", example("platform")]);
}

export async function applyExamples({ kubectl }: Cluster, files: readonly string[]): Promise<void> {
  await kubectl(["create", "namespace", namespace]);
  // Where nobody wrote one, the operator makes it.
  await kubectl(["wait", "--for=create", "--timeout=60s", "mimoplatform/default"]);
  const apply = ["apply", "--server-side", "-n", namespace, ...files.flatMap((file) => ["-f", file])];
  const deadline = performance.now() + policySeconds * 1000;
  for (;;) {
    try {
      await kubectl(apply);
      return;
    } catch (error) {
      const isEarly = error instanceof Error && error.message.includes("no params found");
      if (!isEarly || performance.now() > deadline) throw error;
      await delay(500);
    }
  }
}
/** The admission policies learn of a platform a moment after it is made. */
const policySeconds = 30;

const clusterConfig = z.object({ clusters: z.tuple([z.object({ cluster: z.looseObject({}) })]) });

/** Starts the operator with a token of its own ServiceAccount: it has the rights of its roles and no others. */
export async function startOperator({ kubectl, components, directory }: Cluster): Promise<void> {
  const config = await kubectl(["config", "view", "--minify", "--raw", "--flatten", "-o", "json"]);
  const [{ cluster }] = clusterConfig.parse(JSON.parse(config)).clusters;
  const token = await kubectl(["create", "token", operatorName, "-n", operatorNamespace, "--duration=24h"]);
  const kubeconfig = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "demo", cluster }],
    users: [{ name: operatorName, user: { token: token.trim() } }],
    contexts: [{ name: "demo", context: { cluster: "demo", user: operatorName } }],
    "current-context": "demo",
  };
  const path = join(directory, "operator.kubeconfig");
  await writeFile(path, JSON.stringify(kubeconfig), { mode: 0o600 });
  const args = [
    join(root, "operator/main.ts"),
    "--listen",
    "127.0.0.1:0",
    "--lease-namespace",
    operatorNamespace,
  ];
  components.start("operator", process.execPath, args, { KUBECONFIG: path });
}

/** Takes everything out again, deployments first, and waits until it is gone. */
export async function uninstall({ kubectl }: Cluster): Promise<void> {
  await kubectl(["delete", "namespace", namespace, "--ignore-not-found"]);
  await kubectl(["delete", "--ignore-not-found", "-f", "-"], installation);
}
