/** Go programs of pinned modules, built once into the user's cache. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { errorCode, isAlive } from "./liveness.ts";

export type Progress = (line: string) => void;

export interface GoProgram {
  /** File name of the binary. */
  readonly name: string;
  /** Folder of the go.mod that pins it. */
  readonly module: string;
  /** Import path of its main package. */
  readonly package: string;
  readonly ldflags: string;
  /** Build tags, separated by commas. */
  readonly tags?: string;
}

export interface BuildOptions {
  /** Where the binaries go. */
  readonly folder: string;
  /** What to do, besides installing Go, when there is none. */
  readonly otherwise?: string;
  readonly onProgress: Progress;
}

const STILL_BUILDING_SECONDS = 30;
const LOCK_POLL_MILLISECONDS = 500;

/** A folder in the user's cache. */
export function cacheFolder(...names: readonly string[]): string {
  const xdg = process.env.XDG_CACHE_HOME;
  const cache = xdg === undefined || xdg === "" ? join(homedir(), ".cache") : xdg;
  return join(cache, "mimo-operator", ...names);
}

/** What modules pin, as one text. */
export async function readPins(modules: readonly string[]): Promise<string> {
  const files = modules.flatMap((module) => [join(module, "go.mod"), join(module, "go.sum")]);
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8")));
  return texts.join("");
}

/** Names what binaries are made from; a change in any of it is another folder. */
export const buildKey = (pins: string, ldflags: string): string =>
  createHash("sha256")
    .update(pins)
    .update(ldflags)
    .update(`${process.platform}/${process.arch}`)
    .digest("hex")
    .slice(0, 12);

/**
 * Builds the programs that aren't in the folder yet. Safe to call from several processes at once: one builds, the others
 * wait.
 * @throws Error when a build is needed and Go is missing or the build fails.
 */
export async function ensurePrograms(programs: readonly GoProgram[], options: BuildOptions): Promise<void> {
  const { folder, onProgress } = options;
  const isThere = async ({ name }: GoProgram): Promise<boolean> =>
    (await firstExecutable([join(folder, name)])) !== undefined;
  if ((await Promise.all(programs.map(isThere))).every(Boolean)) return;

  await mkdir(folder, { recursive: true });
  const release = await lock(join(folder, "build.lock"), onProgress);
  try {
    for (const [index, program] of programs.entries()) {
      if (await isThere(program)) continue;
      await build(program, `${program.name} (${index + 1} of ${programs.length})`, options);
    }
  } finally {
    await release();
  }
}

export async function firstExecutable(paths: readonly string[]): Promise<string | undefined> {
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

async function build(program: GoProgram, title: string, options: BuildOptions): Promise<void> {
  const { folder, onProgress, otherwise } = options;
  const target = join(folder, program.name);
  const partial = `${target}.${process.pid}.partial`;
  const startedAt = performance.now();
  const seconds = (): string => `${Math.round((performance.now() - startedAt) / 1000)} s`;
  onProgress(`building ${title} ...`);
  const heartbeat = setInterval(
    () => onProgress(`building ${title}: ${seconds()}`),
    STILL_BUILDING_SECONDS * 1000,
  );
  try {
    const flags = ["-trimpath", "-buildvcs=false", "-tags", program.tags ?? "", "-ldflags", program.ldflags];
    const args = ["build", ...flags, "-o", partial, program.package];
    await runGo(args, program.module, { what: `${program.name} has to be built`, otherwise });
    await rename(partial, target);
  } finally {
    clearInterval(heartbeat);
    await rm(partial, { force: true });
  }
  onProgress(`built ${title} in ${seconds()}`);
}

/**
 * What Go prints on stdout.
 * @throws Error when Go is missing or fails, with the end of what it says.
 */
export async function runGo(
  args: readonly string[],
  module: string,
  { what, otherwise }: { readonly what: string; readonly otherwise?: string | undefined },
): Promise<string> {
  const go = spawn("go", args, {
    cwd: module,
    stdio: ["ignore", "pipe", "pipe"],
    // A workspace or build flags of the user's shell must not change what is built.
    env: { ...process.env, CGO_ENABLED: "0", GOWORK: "off", GOFLAGS: "" },
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    go.once("close", resolve);
    go.once("error", (error) => reject(goMissing(error, what, otherwise)));
  });
  const [code, stdout, stderr] = await Promise.all([ended, text(go.stdout), text(go.stderr)]);
  if (code !== 0) {
    const said = stderr.slice(-4000);
    throw new Error(`${what}: go ${args.join(" ")} in ${module} ended with ${code}:\n${said}`);
  }
  return stdout;
}

function goMissing(error: Error, what: string, otherwise: string | undefined): Error {
  if (errorCode(error) !== "ENOENT") return error;
  const instead = otherwise === undefined ? "" : `, or ${otherwise}`;
  return new Error(
    `${what} and there is no \`go\` on PATH. Install Go 1.26 or newer (https://go.dev/dl/)${instead}.`,
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
