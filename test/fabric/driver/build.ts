/** NVIDIA's compute-domain-controller, built from its pinned module, and what its chart installs beside it. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { z } from "zod";
import {
  buildKey,
  cacheFolder,
  ensurePrograms,
  type Progress,
  readPins,
  runGo,
} from "../../controlplane/go-programs.ts";

const modulePath = "sigs.k8s.io/dra-driver-nvidia-gpu";
const name = "compute-domain-controller";
const module = import.meta.dirname;
const ldflags = "-s -w";

export interface DriverBuild {
  /** Path of the controller's program. */
  readonly controller: string;
  /** YAML of its CRDs and device classes. */
  readonly manifests: readonly string[];
}

const downloaded = z.object({ Dir: z.string() });

/** Builds the pinned version unless the user's cache has it. @throws Error when Go is missing or the build fails. */
export async function ensureDriver(onProgress: Progress): Promise<DriverBuild> {
  const what = `${modulePath} has to be in Go's module cache`;
  const answer = await runGo(["mod", "download", "-json", modulePath], module, { what });
  const { Dir: original } = downloaded.parse(JSON.parse(answer));
  const folder = cacheFolder("fabric", buildKey(await readPins([module]), ldflags));
  const source = join(folder, "source");
  await copySource(original, source);
  await ensurePrograms([{ name, module: source, package: `./cmd/${name}`, ldflags }], { folder, onProgress });

  const chart = join(source, "deployments/helm/dra-driver-nvidia-gpu");
  const read = (path: string): Promise<string> => readFile(join(chart, path), "utf8");
  const crds = ["computedomains", "computedomaincliques"].map((kind) =>
    read(`crds/resource.nvidia.com_${kind}.yaml`),
  );
  const classes = ["daemon", "default-channel"].map(async (kind) =>
    withoutTemplates(await read(`templates/deviceclass-compute-domain-${kind}.yaml`)),
  );
  return { controller: join(folder, name), manifests: await Promise.all([...crds, ...classes]) };
}

/**
 * The controller reads templates from /templates, where its image has them. A copy of the source names its own folder of
 * them instead; it is built by the go.mod that it has.
 */
async function copySource(original: string, copy: string): Promise<void> {
  const entries = await readdir(original, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const from = join(entry.parentPath, entry.name);
    const to = join(copy, relative(original, from));
    const bytes = await readFile(from);
    await mkdir(dirname(to), { recursive: true });
    await writeFile(
      to,
      to.endsWith(".go")
        ? bytes.toString().replaceAll('"/templates/', `"${join(copy, "templates")}/`)
        : bytes,
    );
  }
}

/** What Helm makes of a manifest whose only value is the version of the resource API. */
const withoutTemplates = (manifest: string): string =>
  manifest
    .replaceAll(/\{\{ include "[^"]*resourceApiVersion" \. \}\}/g, "resource.k8s.io/v1")
    .replaceAll(/^\{\{-.*\n/gm, "");
