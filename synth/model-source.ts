import { posix } from "node:path";
import type { DeploymentSpec } from "../crds/deployment.ts";
import type { PlatformSpec } from "../crds/platform.ts";
import type { ModelFacts } from "./catalogue/models.ts";
import type { Findings } from "./errors.ts";
import type { CachePlan, ModelPlan } from "./serving-plan.ts";

/** Where the checkpoint comes from and what that means for the server. */
export interface ModelSource {
  readonly plan: ModelPlan;
  /** Value of --model-path. */
  readonly modelPath: string;
  /** Options that a download needs. */
  readonly downloadArgs: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly secretEnv: readonly { readonly name: string; readonly secret: string; readonly key: string }[];
  /** A network file system that every node reads at once. */
  readonly sharedFileSystem: boolean;
  readonly readGibPerSecond: number;
  /** Only where the pod downloads the checkpoint first. */
  readonly downloadGibPerSecond?: number;
}

const mountPath = "/models";
const cachePath = "/cache";

/** Rates that budgets assume where the platform names none, GiB/s per node; low on purpose. */
const downloadRate = 0.25;
const sharedRate = 1;
const localRate = 2;

/** Everything is on disk: nothing may look to the hub, and a missing file should say so at once. */
const offline = { HF_HUB_OFFLINE: "1" };

export function resolveModelSource(
  spec: DeploymentSpec,
  platform: PlatformSpec,
  facts: ModelFacts,
  findings: Findings,
): ModelSource {
  const model = spec.model ?? {};
  const mounted = (
    source: ModelPlan["source"],
    reference: string,
    path: string,
    shared: boolean,
    rate?: number,
  ): ModelSource => ({
    plan: { source, reference, mountPath, checkpointGib: facts.checkpointGib },
    modelPath: posix.join(mountPath, path),
    downloadArgs: [],
    env: offline,
    secretEnv: [],
    sharedFileSystem: shared,
    readGibPerSecond: rate ?? (shared ? sharedRate : localRate),
  });

  if (model.persistentVolumeClaim !== undefined) {
    const { claimName, path = "" } = model.persistentVolumeClaim;
    return mounted("PersistentVolumeClaim", claimName, path, true);
  }
  if (model.hostPath !== undefined) {
    checkHostPath(model.hostPath.path, platform.allowedHostPaths ?? [], findings);
    return mounted("HostPath", model.hostPath.path, "", false);
  }
  if (model.image !== undefined) {
    const { reference, path = "" } = model.image;
    if (!isFixed(reference)) {
      findings.warnings.push(
        `spec.model.image.reference ${reference} names no version, so two nodes may hold different files under it: write a tag that stays, or a digest`,
      );
    }
    return mounted("Image", reference, path, false);
  }
  const store = platform.modelStore;
  if (model.huggingFace === undefined && store !== undefined) {
    const { persistentVolumeClaim: claim, hostPath: folder } = store;
    const shared = store.shared ?? claim !== undefined;
    if (claim !== undefined) {
      return mounted(
        "PersistentVolumeClaim",
        claim.claimName,
        facts.repository,
        shared,
        store.readGibPerSecond,
      );
    }
    if (folder !== undefined) {
      return mounted("HostPath", folder.path, facts.repository, shared, store.readGibPerSecond);
    }
  }
  return download(spec, facts, findings);
}

/** By a digest, or a tag other than the one that always moves. */
const isFixed = (reference: string): boolean =>
  reference.includes("@") || /:(?!latest$)[^/:]+$/.test(reference);

function download(spec: DeploymentSpec, facts: ModelFacts, findings: Findings): ModelSource {
  const { repository = facts.repository, revision, tokenSecret } = spec.model?.huggingFace ?? {};
  findings.warnings.push(
    `every pod downloads ${Math.ceil(facts.checkpointGib)} GiB from Hugging Face at every start: set spec.model or MiMoPlatform modelStore to keep the checkpoint`,
  );
  if (repository !== facts.repository) {
    findings.warnings.push(
      `spec.model.huggingFace.repository is not ${facts.repository}: sizes and options are those of ${spec.variant}`,
    );
  }
  return {
    plan: { source: "Ephemeral", reference: "", mountPath, checkpointGib: facts.checkpointGib },
    modelPath: repository,
    // Not HF_HOME: images keep attention kernels in its default place.
    downloadArgs: ["--download-dir", mountPath, ...(revision === undefined ? [] : ["--revision", revision])],
    env: {},
    secretEnv:
      tokenSecret === undefined ? [] : [{ name: "HF_TOKEN", secret: tokenSecret.name, key: tokenSecret.key }],
    sharedFileSystem: false,
    readGibPerSecond: localRate,
    downloadGibPerSecond: downloadRate,
  };
}

function checkHostPath(path: string, allowed: readonly string[], findings: Findings): void {
  const normal = posix.normalize(`${path}/`);
  if (allowed.some((folder) => normal.startsWith(posix.normalize(`${folder}/`)))) return;
  findings.refusals.push({
    code: "HostPathNotAllowed",
    field: "spec.model.hostPath.path",
    message: hostPathRefusal(path, allowed.length === 0 ? "none are allowed" : allowed.join(", ")).join(""),
  });
}

/** The sentence, in pieces: the admission policy says the same with expressions in their places. */
export const hostPathRefusal = <T>(path: T, allowed: T): readonly (T | string)[] => [
  path,
  " is not below a folder of MiMoPlatform's allowedHostPaths (",
  allowed,
  "); use spec.model.persistentVolumeClaim, or ask your platform team for the folder",
];

/** Compile caches outlive the pod only on the platform's volume. */
export function resolveCache(platform: PlatformSpec, findings: Findings): CachePlan {
  const { persistentVolumeClaim: claim, hostPath: folder } = platform.cacheVolume ?? {};
  if (claim !== undefined) {
    return { source: "PersistentVolumeClaim", reference: claim.claimName, mountPath: cachePath };
  }
  if (folder !== undefined) return { source: "HostPath", reference: folder.path, mountPath: cachePath };
  findings.warnings.push(
    "kernels are compiled again at every start: set MiMoPlatform cacheVolume to keep them between starts",
  );
  return { source: "EmptyDir", reference: "", mountPath: cachePath };
}

/** Every cache by its own variable, below one folder per runtime; the image's ~/.cache stays visible. */
export function cacheEnv({ mountPath }: CachePlan, runtime: string): Record<string, string> {
  const root = posix.join(mountPath, runtime);
  return {
    FLASHINFER_WORKSPACE_BASE: posix.join(root, "flashinfer"),
    SGLANG_DG_CACHE_DIR: posix.join(root, "deep_gemm"),
    TORCHINDUCTOR_CACHE_DIR: posix.join(root, "inductor"),
    TRITON_CACHE_DIR: posix.join(root, "triton"),
  };
}
