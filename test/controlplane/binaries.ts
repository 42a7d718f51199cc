/** The control plane's programs: found where the caller already has them, or built once from the pinned modules. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { errorCode, isAlive } from "./liveness.ts";

const PACKAGES = {
  etcd: { module: "kubernetes", path: "go.etcd.io/etcd/server/v3" },
  "kube-apiserver": { module: "kubernetes", path: "k8s.io/kubernetes/cmd/kube-apiserver" },
  "kube-controller-manager": { module: "kubernetes", path: "k8s.io/kubernetes/cmd/kube-controller-manager" },
  "kube-scheduler": { module: "kubernetes", path: "k8s.io/kubernetes/cmd/kube-scheduler" },
  kubectl: { module: "kubernetes", path: "k8s.io/kubernetes/cmd/kubectl" },
  kwok: { module: "kwok", path: "sigs.k8s.io/kwok/cmd/kwok" },
} as const;

export type BinaryName = keyof typeof PACKAGES;
export type Progress = (line: string) => void;

export const BINARY_NAMES = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubectl",
  "kwok",
] as const;

const STILL_BUILDING_SECONDS = 30;
const LOCK_POLL_MILLISECONDS = 500;

/** What the binaries are made from; a change in any of it is another cache folder. */
interface Recipe {
  readonly ldflags: string;
  readonly folder: string;
}

/**
 * Paths of the named programs. Each is looked for in $CONTROL_PLANE_BIN, then $KUBEBUILDER_ASSETS, then the user's
 * cache, and otherwise built into the cache with Go. Safe to call from several processes at once: one builds, the
 * others wait.
 * @throws Error when a build is needed and Go is missing or the build fails.
 */
export async function ensureBinaries<Name extends BinaryName>(
  names: readonly Name[],
  onProgress: Progress = () => {},
): Promise<Record<Name, string>> {
  const recipe = await readRecipe();
  const folders = [process.env.CONTROL_PLANE_BIN, process.env.KUBEBUILDER_ASSETS, recipe.folder].filter(
    (folder): folder is string => folder !== undefined && folder !== "",
  );
  const found = new Map<BinaryName, string>();
  const missing: Name[] = [];
  for (const name of names) {
    const path = await firstExecutable(folders.map((folder) => join(folder, name)));
    if (path === undefined) missing.push(name);
    else found.set(name, path);
  }
  if (missing.length > 0) {
    for (const [name, path] of await buildMissing(missing, recipe, onProgress)) found.set(name, path);
  }
  return Object.fromEntries(names.map((name) => [name, found.get(name)])) as Record<Name, string>;
}

/** The folder in the user's cache where this checkout's binaries live. */
export async function cacheFolder(): Promise<string> {
  return (await readRecipe()).folder;
}

async function readRecipe(): Promise<Recipe> {
  const hash = createHash("sha256");
  let kubernetesVersion: string | undefined;
  for (const module of ["kubernetes", "kwok"]) {
    for (const file of ["go.mod", "go.sum"]) {
      const text = await readFile(join(import.meta.dirname, module, file), "utf8");
      kubernetesVersion ??= /^\s*k8s\.io\/kubernetes (v[0-9.]+)/m.exec(text)?.[1];
      hash.update(text);
    }
  }
  if (kubernetesVersion === undefined) {
    throw new Error(`test/controlplane/kubernetes/go.mod requires no version of k8s.io/kubernetes`);
  }
  const ldflags = linkerFlags(kubernetesVersion);
  const key = hash.update(ldflags).update(`${process.platform}/${process.arch}`).digest("hex").slice(0, 12);
  const xdg = process.env.XDG_CACHE_HOME;
  const cache = xdg === undefined || xdg === "" ? join(homedir(), ".cache") : xdg;
  return { ldflags, folder: join(cache, "mimo-operator", "controlplane", `${kubernetesVersion}-${key}`) };
}

/** Without these a binary built outside the release scripts calls itself v0.0.0-master and clients misjudge it. */
function linkerFlags(version: string): string {
  const [major = "", minor = ""] = version.slice(1).split(".");
  const variables = [
    `k8s.io/component-base/version.gitVersion=${version}`,
    `k8s.io/component-base/version.gitMajor=${major}`,
    `k8s.io/component-base/version.gitMinor=${minor}`,
    `k8s.io/client-go/pkg/version.gitVersion=${version}`,
  ];
  return ["-s -w", ...variables.map((variable) => `-X ${variable}`)].join(" ");
}

async function firstExecutable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    try {
      await access(path, constants.X_OK);
      return path;
    } catch (error) {
      if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") continue;
      throw new Error(`${path} cannot be run: ${String(error)}. Make it executable or remove it.`, {
        cause: error,
      });
    }
  }
  return undefined;
}

async function buildMissing<Name extends BinaryName>(
  names: readonly Name[],
  recipe: Recipe,
  onProgress: Progress,
): Promise<Map<Name, string>> {
  await mkdir(recipe.folder, { recursive: true });
  const built = new Map<Name, string>();
  const release = await lock(join(recipe.folder, "build.lock"), onProgress);
  try {
    for (const [index, name] of names.entries()) {
      const target = join(recipe.folder, name);
      if ((await firstExecutable([target])) === undefined) {
        await build(name, target, recipe, `${name} (${index + 1} of ${names.length})`, onProgress);
      }
      built.set(name, target);
    }
  } finally {
    await release();
  }
  return built;
}

async function build(
  name: BinaryName,
  target: string,
  recipe: Recipe,
  title: string,
  onProgress: Progress,
): Promise<void> {
  const { module, path } = PACKAGES[name];
  const partial = `${target}.${process.pid}.partial`;
  const startedAt = performance.now();
  const seconds = (): string => `${Math.round((performance.now() - startedAt) / 1000)} s`;
  onProgress(`building ${title} ...`);
  const heartbeat = setInterval(
    () => onProgress(`building ${title}: ${seconds()}`),
    STILL_BUILDING_SECONDS * 1000,
  );
  try {
    const args = ["build", "-trimpath", "-buildvcs=false", "-ldflags", recipe.ldflags, "-o", partial, path];
    await runGo(args, join(import.meta.dirname, module), name);
    await rename(partial, target);
  } finally {
    clearInterval(heartbeat);
    await rm(partial, { force: true });
  }
  onProgress(`built ${title} in ${seconds()}`);
}

async function runGo(args: readonly string[], directory: string, name: BinaryName): Promise<void> {
  const go = spawn("go", args, {
    cwd: directory,
    stdio: ["ignore", "ignore", "pipe"],
    // A workspace or build flags of the user's shell must not change what is built.
    env: { ...process.env, CGO_ENABLED: "0", GOWORK: "off", GOFLAGS: "" },
  });
  let stderr = "";
  go.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-4000);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    go.once("close", resolve);
    go.once("error", (error) => reject(goMissing(error, name)));
  });
  if (code !== 0) {
    throw new Error(
      `building ${name} failed in ${directory}: go ${args.join(" ")} ended with ${code}:\n${stderr}`,
    );
  }
}

function goMissing(error: Error, name: BinaryName): Error {
  if (errorCode(error) !== "ENOENT") return error;
  return new Error(
    `${name} has to be built and there is no \`go\` on PATH. Install Go 1.26 or newer (https://go.dev/dl/), ` +
      "or set CONTROL_PLANE_BIN to a folder that holds etcd, kube-apiserver, kube-controller-manager, " +
      "kube-scheduler, kubectl and kwok.",
    { cause: error },
  );
}

/**
 * Held by one process at a time. A lock whose holder died is taken over; should two processes do that in the same
 * instant both build, which costs time and nothing else because binaries are renamed into place.
 */
async function lock(path: string, onProgress: Progress): Promise<() => Promise<void>> {
  let announced = false;
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: "wx" });
      return () => rm(path, { force: true });
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
    }
    const holder = await lockHolder(path);
    if (holder !== undefined && !isAlive(holder)) {
      await rm(path, { force: true });
      continue;
    }
    if (!announced) onProgress(`waiting for the build in process ${holder ?? "(just starting)"} (${path})`);
    announced = true;
    await delay(LOCK_POLL_MILLISECONDS);
  }
}

/** `undefined` while the holder has not written its id yet, or has just let go. */
async function lockHolder(path: string): Promise<number | undefined> {
  try {
    const pid = Number(await readFile(path, "utf8"));
    return pid > 0 ? pid : undefined;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
