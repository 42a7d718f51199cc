/** The real helm and kubeconform, of pinned modules, built once into the user's cache. */
import { join } from "node:path";
import {
  buildKey,
  cacheFolder,
  ensurePrograms,
  type Progress,
  readPins,
} from "../controlplane/go-programs.ts";

const module = import.meta.dirname;
// Without a version kubeconform and helm work all the same; helm then calls itself v4.
const ldflags = "-s -w";
const packages = {
  helm: "helm.sh/helm/v4/cmd/helm",
  kubeconform: "github.com/yannh/kubeconform/cmd/kubeconform",
} as const;

/** Paths of both. @throws Error when Go is missing or a build fails. */
export async function ensureInstallPrograms(
  onProgress: Progress,
): Promise<Readonly<Record<keyof typeof packages, string>>> {
  const folder = cacheFolder("install", buildKey(await readPins([module]), ldflags));
  const programs = Object.entries(packages).map(([name, path]) => ({ name, module, package: path, ldflags }));
  await ensurePrograms(programs, { folder, onProgress });
  return { helm: join(folder, "helm"), kubeconform: join(folder, "kubeconform") };
}
