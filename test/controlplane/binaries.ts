/** The control plane's programs: found where the caller already has them, or built once from the pinned modules. */
import { join } from "node:path";
import {
  buildKey,
  cacheFolder,
  ensurePrograms,
  firstExecutable,
  type Progress,
  readPins,
} from "./go-programs.ts";

const PACKAGES = {
  etcd: { module: "kubernetes", path: "go.etcd.io/etcd/server/v3" },
  "kube-apiserver": { module: "kubernetes", path: "k8s.io/kubernetes/cmd/kube-apiserver" },
  "kube-controller-manager": { module: "kubernetes", path: "k8s.io/kubernetes/cmd/kube-controller-manager" },
  "kube-scheduler": { module: "kubernetes", path: "k8s.io/kubernetes/cmd/kube-scheduler" },
  kubectl: { module: "kubernetes", path: "k8s.io/kubernetes/cmd/kubectl" },
  kwok: { module: "kwok", path: "sigs.k8s.io/kwok/cmd/kwok" },
} as const;

export type BinaryName = keyof typeof PACKAGES;

export const BINARY_NAMES = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubectl",
  "kwok",
] as const;

/** What the binaries are made from. */
interface Recipe {
  readonly ldflags: string;
  readonly folder: string;
}

/**
 * Paths of the named programs. Each is looked for in $CONTROL_PLANE_BIN, then $KUBEBUILDER_ASSETS, then the user's
 * cache, and otherwise built into the cache with Go. Safe to call from several processes at once.
 * @throws Error when a build is needed and Go is missing or the build fails.
 */
export async function ensureBinaries<Name extends BinaryName>(
  names: readonly Name[],
  onProgress: Progress = () => {},
): Promise<Record<Name, string>> {
  const recipe = await readRecipe();
  const folders = [process.env.CONTROL_PLANE_BIN, process.env.KUBEBUILDER_ASSETS].filter(
    (folder): folder is string => folder !== undefined && folder !== "",
  );
  const found = new Map<BinaryName, string>();
  const missing: Name[] = [];
  for (const name of names) {
    const path = await firstExecutable(folders.map((folder) => join(folder, name)));
    if (path === undefined) missing.push(name);
    else found.set(name, path);
  }
  await ensurePrograms(
    missing.map((name) => ({
      name,
      module: join(import.meta.dirname, PACKAGES[name].module),
      package: PACKAGES[name].path,
      ldflags: recipe.ldflags,
    })),
    {
      folder: recipe.folder,
      otherwise: `set CONTROL_PLANE_BIN to a folder that holds ${BINARY_NAMES.join(", ")}`,
      onProgress,
    },
  );
  for (const name of missing) found.set(name, join(recipe.folder, name));
  return Object.fromEntries(names.map((name) => [name, found.get(name)])) as Record<Name, string>;
}

async function readRecipe(): Promise<Recipe> {
  const pins = await readPins(["kubernetes", "kwok"].map((module) => join(import.meta.dirname, module)));
  const version = /^\s*k8s\.io\/kubernetes (v[0-9.]+)/m.exec(pins)?.[1];
  if (version === undefined) {
    throw new Error(`test/controlplane/kubernetes/go.mod requires no version of k8s.io/kubernetes`);
  }
  const ldflags = linkerFlags(version);
  return { ldflags, folder: cacheFolder("controlplane", `${version}-${buildKey(pins, ldflags)}`) };
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
