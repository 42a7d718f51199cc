import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import {
  buildKey,
  cacheFolder,
  ensurePrograms,
  type Progress,
  readPins,
  runGo,
} from "../../controlplane/go-programs.ts";

const modulePath = "sigs.k8s.io/lws";
const module = import.meta.dirname;
const ldflags = "-s -w";
const program = { name: "lws-manager", module, package: `${modulePath}/cmd`, ldflags };

/** LeaderWorkerSet's manager, and what has to be applied for it: YAML as its module ships it. */
export interface LwsBuild {
  readonly version: string;
  /** Path of the program. */
  readonly manager: string;
  readonly crds: readonly string[];
  readonly role: string;
  /** To ask who wants to see its metrics. */
  readonly metricsRole: string;
  readonly webhooks: string;
}

const downloaded = z.object({ Version: z.string(), Dir: z.string() });

/** Builds the pinned version unless the user's cache has it. @throws Error when Go is missing or the build fails. */
export async function ensureLws(onProgress: Progress): Promise<LwsBuild> {
  const folder = cacheFolder("bench", buildKey(await readPins([module]), ldflags));
  await ensurePrograms([program], { folder, onProgress });

  const what = `${modulePath} has to be in Go's module cache`;
  const answer = await runGo(["mod", "download", "-json", modulePath], module, { what });
  const { Version: version, Dir: source } = downloaded.parse(JSON.parse(answer));
  const read = (path: string): Promise<string> => readFile(join(source, "config", path), "utf8");
  return {
    version,
    manager: join(folder, program.name),
    crds: await Promise.all(
      ["leaderworkerset", "disaggregatedset"].map((kind) => read(`crd/bases/${kind}.x-k8s.io_${kind}s.yaml`)),
    ),
    role: await read("rbac/role.yaml"),
    metricsRole: await read("rbac/auth_proxy_role.yaml"),
    webhooks: await read("webhook/manifests.yaml"),
  };
}
