import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { defaultNamespace, installObjects, operatorNamespaceObject } from "../../charts/install.ts";
import { installValues } from "../../charts/install-values.ts";
import type { KubeObject } from "../../charts/kubernetes.ts";
import { toYaml } from "../../charts/yaml.ts";
import { askApi } from "../controlplane/api.ts";
import type { Administrator, ControlPlane } from "../controlplane/boot.ts";
import { installDocuments } from "../controlplane/install.ts";
import { serviceAccountKubeconfig } from "../controlplane/kubeconfig.ts";
import { eventually } from "./eventually.ts";

const deploymentsOfDefault = "/apis/mimo.dev/v1alpha1/namespaces/default/mimodeployments";
const root = resolve(import.meta.dirname, "../..");
export const operatorNamespace = defaultNamespace;
export const operatorUser = `system:serviceaccount:${operatorNamespace}:mimo-operator`;

/** Installs what `mimo install` prints, save the Deployment: the operator runs as a process beside the control plane. */
export async function installOperator(controlPlane: Administrator): Promise<void> {
  await applyInstallation(controlPlane, [
    ...operatorNamespaceObject(operatorNamespace),
    ...installObjects(installValues.parse({}), operatorNamespace).filter(({ kind }) => kind !== "Deployment"),
  ]);
}

export async function applyInstallation(
  controlPlane: Administrator,
  objects: readonly KubeObject[],
): Promise<void> {
  await installDocuments(controlPlane, toYaml(objects));
}

export interface RunningOperator {
  readonly process: ChildProcess;
  readonly logFile: string;
  log(): Promise<string>;
  /** Signals it and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Runs the operator as its own ServiceAccount and waits until it works, or stands by. */
export async function startOperator(
  controlPlane: ControlPlane,
  options: {
    readonly resyncSeconds?: number;
    readonly name?: string;
    /** More than the operator's own default where many deployments fail on purpose. */
    readonly workers?: number;
    /** Another way to the API server than the direct one, such as a proxy's URL. */
    readonly server?: string;
    /** Its own. */
    readonly namespace?: string;
    /** Where it works; everywhere when absent. */
    readonly namespaces?: readonly string[];
    /** Of Node, such as `--import`. */
    readonly nodeArgs?: readonly string[];
    /** What Node runs, before the operator's own flags; by default its source. */
    readonly program?: readonly string[];
    /** The least that it logs. */
    readonly logLevel?: "trace" | "info";
    /** Another one leads: it is waited for until it stands by. */
    readonly standsBy?: boolean;
  } = {},
): Promise<RunningOperator> {
  const { resyncSeconds = 36_000, name = "operator", workers = 8, server, nodeArgs = [] } = options;
  const { namespace = operatorNamespace, namespaces, program = [join(root, "operator/main.ts")] } = options;
  const { logLevel = "info" } = options;
  const account = [namespace, "mimo-operator"] as const;
  const awaited = options.standsBy === true ? '"msg":"standing by' : '"msg":"leading"';
  const kubeconfig = await serviceAccountKubeconfig(controlPlane, ...account, server);
  const logFile = join(controlPlane.directory, `${name}.log`);
  const output = createWriteStream(logFile, { flags: "a" });
  const child = spawn(
    process.execPath,
    [
      ...nodeArgs,
      ...program,
      "--listen=127.0.0.1:0",
      `--lease-namespace=${namespace}`,
      ...(namespaces === undefined ? [] : [`--namespaces=${namespaces.join(",")}`]),
      `--resync-seconds=${resyncSeconds}`,
      `--workers=${workers}`,
      `--log-level=${logLevel}`,
      `--identity=${name}`,
    ],
    { cwd: root, env: { ...process.env, KUBECONFIG: kubeconfig }, stdio: ["ignore", "pipe", "pipe"] },
  );
  child.stdout.pipe(output, { end: false });
  child.stderr.pipe(output, { end: false });
  const log = (): Promise<string> => readFile(logFile, "utf8");
  await eventually(`${name} says ${awaited}`, async () => {
    if (child.exitCode !== null)
      throw new Error(`it ended with ${child.exitCode}: ${(await log()).slice(-2000)}`);
    return (await log()).includes(awaited) ? true : undefined;
  });
  // Made by the first leader; until then the admission policies refuse every deployment.
  await eventually("there is a MiMoPlatform", async () => {
    const { status } = await askApi(controlPlane, "/apis/mimo.dev/v1alpha1/mimoplatforms/default");
    return status === 200 ? true : undefined;
  });
  // The API server finds the kind of their parameter some seconds after it was installed; until then, too.
  await eventually("the admission policies know MiMoPlatforms", async () => {
    const { body } = await askApi(controlPlane, `${deploymentsOfDefault}?dryRun=All`, {
      method: "POST",
      body: { metadata: { name: "probe" }, spec: { variant: "MiMo-V2-Flash", hardware: "H200" } },
    });
    return body.includes("failed to configure policy") ? undefined : true;
  });
  return {
    process: child,
    logFile,
    log,
    stop: async (signal = "SIGTERM") => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const ended = once(child, "exit");
      child.kill(signal);
      await ended;
      output.end();
      return child.exitCode;
    },
  };
}
