/** A real Kubernetes control plane on loopback: etcd, kube-apiserver, kube-controller-manager, kube-scheduler. */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type ApiAccess, askApi } from "./api.ts";
import { BINARY_NAMES, type BinaryName, ensureBinaries } from "./binaries.ts";
import { type ComponentExit, type Components, createComponents } from "./components.ts";
import { claimDirectory, releaseDirectory, type Tokens, writeCredentials } from "./directory.ts";
import { apiServerFlags, auditFlags, controllerManagerFlags, etcdFlags, schedulerFlags } from "./flags.ts";
import type { Progress } from "./go-programs.ts";
import { writeKubeconfig } from "./kubeconfig.ts";
import { errorCode } from "./liveness.ts";
import { freePort } from "./ports.ts";

const BOOT_TIMEOUT_SECONDS = 120;
const POLL_MILLISECONDS = 50;

export interface BootOptions {
  /** Holds everything the run writes. Left behind by `stop`; what an earlier run left there is replaced. */
  readonly directory: string;
  /** Keep `<directory>/audit.log` (default true). */
  readonly audit?: boolean;
  /** Further kube-apiserver flags; a repeated flag wins over the one set here. */
  readonly apiServerFlags?: readonly string[];
  /** Run kube-controller-manager (default true). Without it nothing makes pods, nor ServiceAccounts for them. */
  readonly controllerManager?: boolean;
  /** Further kube-controller-manager flags. */
  readonly controllerManagerFlags?: readonly string[];
  /** Run kube-scheduler (default true). */
  readonly scheduler?: boolean;
  /** Further kube-scheduler flags. */
  readonly schedulerFlags?: readonly string[];
  /**
   * Installs what controllers should find when they start: the garbage collector looks for new kinds only every 30 s, and
   * until then leaves the children of their objects.
   */
  readonly prepare?: (administrator: Administrator) => Promise<void>;
  readonly onProgress?: Progress;
}

/** What kubectl needs, and where everything is stored. */
export type Administrator = Pick<ControlPlane, "binaries" | "kubeconfig" | "etcd">;

export interface ControlPlane extends ApiAccess {
  readonly directory: string;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** Path of kwok's kubeconfig, so that the audit log tells its writes from the administrator's. */
  readonly kwokKubeconfig: string;
  /** Path; the file exists only when auditing. */
  readonly auditLog: string;
  /** `http://127.0.0.1:<port>` of etcd's clients. */
  readonly etcd: string;
  readonly binaries: Readonly<Record<BinaryName, string>>;
  readonly components: Components;
  /** Process ids of what runs now, by component. */
  readonly pids: Readonly<Record<string, number>>;
  /** Ends every process and waits until they are gone. Safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Boots a control plane and returns once it takes requests and pods can be created in namespace `default`.
 * Its processes end with the calling process, however that ends.
 * @throws Error naming the component at fault, with the end of its log.
 */
export async function bootControlPlane(options: BootOptions): Promise<ControlPlane> {
  const { onProgress = () => {}, audit = true } = options;
  const directory = resolve(options.directory);
  const binaries = await ensureBinaries(BINARY_NAMES, onProgress);
  await claimDirectory(directory);
  const components = createComponents(directory, (exit) =>
    onProgress(`${describeExit(exit)}; see ${exit.name}.log`),
  );
  const stop = async (): Promise<void> => {
    await components.stopAll();
    await releaseDirectory(directory);
  };
  try {
    const tokens = await writeCredentials(directory);
    const apiPort = await freePort();
    const etcdPort = await freePort([apiPort]);
    const peerPort = await freePort([apiPort, etcdPort]);
    const server = `https://127.0.0.1:${apiPort}`;
    const auditLog = join(directory, "audit.log");

    onProgress("starting etcd and kube-apiserver");
    components.start("etcd", binaries.etcd, etcdFlags(directory, etcdPort, peerPort));
    components.start("kube-apiserver", binaries["kube-apiserver"], [
      ...apiServerFlags(directory, apiPort, etcdPort),
      ...(audit ? auditFlags(auditLog) : []),
      ...(options.apiServerFlags ?? []),
    ]);
    const certificateAuthority = await waitFor(components, "kube-apiserver", () => readAuthority(directory));
    const access: ApiAccess = { server, certificateAuthority, adminToken: tokens.admin };
    await waitFor(components, "kube-apiserver", () => answersOk(access, "/readyz"));

    const kubeconfigs = await writeKubeconfigs(directory, access, tokens);
    const etcd = `http://127.0.0.1:${etcdPort}`;
    await options.prepare?.({ binaries, kubeconfig: kubeconfigs.admin, etcd });
    if (options.controllerManager ?? true) {
      onProgress("starting kube-controller-manager");
      components.start("kube-controller-manager", binaries["kube-controller-manager"], [
        ...controllerManagerFlags(directory, kubeconfigs["kube-controller-manager"]),
        ...(options.controllerManagerFlags ?? []),
      ]);
    }
    if (options.scheduler ?? true) {
      onProgress("starting kube-scheduler");
      components.start("kube-scheduler", binaries["kube-scheduler"], [
        ...schedulerFlags(kubeconfigs["kube-scheduler"]),
        ...(options.schedulerFlags ?? []),
      ]);
    }
    if (options.controllerManager ?? true) {
      // ServiceAccount admission refuses a pod before its namespace has this account.
      const path = "/api/v1/namespaces/default/serviceaccounts/default";
      await waitFor(components, "kube-controller-manager", () => answersOk(access, path));
    }
    onProgress(`ready at ${server}`);
    return {
      ...access,
      directory,
      kubeconfig: kubeconfigs.admin,
      kwokKubeconfig: kubeconfigs.kwok,
      auditLog,
      etcd,
      binaries,
      components,
      get pids() {
        return components.pids();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** kube-apiserver makes its own CA and writes the leaf certificate followed by it, then the key. */
async function readAuthority(directory: string): Promise<string | undefined> {
  try {
    await readFile(join(directory, "certificates", "apiserver.key"));
    const bundle = await readFile(join(directory, "certificates", "apiserver.crt"), "utf8");
    const start = bundle.lastIndexOf("-----BEGIN CERTIFICATE-----");
    return start < 0 ? undefined : bundle.slice(start);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function answersOk(access: ApiAccess, path: string): Promise<true | undefined> {
  try {
    return (await askApi(access, path)).status === 200 ? true : undefined;
  } catch (error) {
    if (errorCode(error) === "ECONNREFUSED" || errorCode(error) === "ECONNRESET") return undefined;
    throw error;
  }
}

async function writeKubeconfigs(directory: string, access: ApiAccess, tokens: Tokens): Promise<Tokens> {
  const write = (name: keyof Tokens, file: string): Promise<string> =>
    writeKubeconfig(join(directory, file), access, { name, token: tokens[name] });
  return {
    admin: await write("admin", "kubeconfig"),
    kwok: await write("kwok", "kwok.kubeconfig"),
    "kube-controller-manager": await write("kube-controller-manager", "kube-controller-manager.kubeconfig"),
    "kube-scheduler": await write("kube-scheduler", "kube-scheduler.kubeconfig"),
  };
}

/** Polls until there is an answer, a component ends, or the boot takes too long. */
async function waitFor<Answer>(
  components: Components,
  awaited: string,
  ask: () => Promise<Answer | undefined>,
): Promise<Answer> {
  const deadline = performance.now() + BOOT_TIMEOUT_SECONDS * 1000;
  for (;;) {
    const failure = components.failure();
    if (failure !== undefined) throw await bootError(components, failure.name, describeExit(failure));
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) {
      throw await bootError(components, awaited, `${awaited} was not ready after ${BOOT_TIMEOUT_SECONDS} s`);
    }
    await delay(POLL_MILLISECONDS);
  }
}

async function bootError(components: Components, name: string, what: string): Promise<Error> {
  return new Error(
    `the control plane did not boot: ${what}. End of ${name}.log:\n${await components.logTail(name)}`,
  );
}

function describeExit({ name, code, signal }: ComponentExit): string {
  return `${name} ended by itself (${signal ?? `exit code ${code}`})`;
}
