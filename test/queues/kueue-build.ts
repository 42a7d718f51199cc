import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import {
  buildKey,
  cacheFolder,
  ensurePrograms,
  type Progress,
  readPins,
  runGo,
} from "../controlplane/go-programs.ts";

const modulePath = "sigs.k8s.io/kueue";
const module = join(import.meta.dirname, "kueue");
const ldflags = "-s -w";

/** Kueue's manager, and what has to be applied for it: YAML as its module ships it. */
export interface KueueBuild {
  /** Path of the program. It takes the folder of its metrics' certificate from `metricsCertificates`. */
  readonly manager: string;
  readonly crds: readonly string[];
  readonly role: string;
  readonly webhooks: string;
}

export const metricsCertificates = "KUEUE_METRICS_CERTIFICATES";

const downloaded = z.object({ Dir: z.string() });

/** Builds the pinned version unless the user's cache has it. @throws Error when Go is missing or the build fails. */
export async function ensureKueue(onProgress: Progress): Promise<KueueBuild> {
  const what = `${modulePath} has to be in Go's module cache`;
  const answer = await runGo(["mod", "download", "-json", modulePath], module, { what });
  const { Dir: source } = downloaded.parse(JSON.parse(answer));

  const folder = cacheFolder("queues", buildKey(await readPins([module]), ldflags));
  const main = await withoutAbsolutePath(source, folder);
  const program = { name: "kueue-manager", module: main, package: ".", ldflags };
  await ensurePrograms([program], { folder, onProgress });

  const components = join(source, "config", "components");
  const read = (...path: string[]): Promise<string> => readFile(join(components, ...path), "utf8");
  const kinds = await readdir(join(components, "crd", "bases"));
  return {
    manager: join(folder, program.name),
    crds: await Promise.all(kinds.map((file) => read("crd", "bases", file))),
    role: await read("rbac", "role.yaml"),
    webhooks: await read("webhook", "manifests.yaml"),
  };
}

/**
 * A module of the manager's own main and our pins. Even without metrics, main reads a certificate for them from a folder that
 * only its image has.
 */
async function withoutAbsolutePath(source: string, folder: string): Promise<string> {
  const original = join(source, "cmd", "kueue", "main.go");
  const path = '"/etc/kueue/metrics/certs"';
  const text = await readFile(original, "utf8");
  if (!text.includes(path)) throw new Error(`${original} doesn't name ${path} any more`);
  const main = join(folder, "main");
  await mkdir(main, { recursive: true });
  for (const file of ["go.mod", "go.sum"]) await copyFile(join(module, file), join(main, file));
  await writeFile(join(main, "main.go"), text.replace(path, `os.Getenv("${metricsCertificates}")`));
  return main;
}
