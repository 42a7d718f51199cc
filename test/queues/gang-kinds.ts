import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import {
  buildKey,
  cacheFolder,
  ensurePrograms,
  type Progress,
  readPins,
  runGo,
} from "../controlplane/go-programs.ts";

const volcano = join(import.meta.dirname, "volcano");
const kueue = join(import.meta.dirname, "kueue");
const ldflags = "-s -w";
const generator = {
  name: "controller-gen",
  module: volcano,
  package: "sigs.k8s.io/controller-tools/cmd/controller-gen",
  ldflags,
};

/** The CRDs of the gangs, from the pinned modules of their projects. */
export interface GangKinds {
  /** Volcano's module ships types and no YAML: made from them as Volcano's own build does. */
  readonly volcano: string;
  readonly schedulerPlugins: string;
}

export async function gangKinds(onProgress: Progress): Promise<GangKinds> {
  const folder = cacheFolder("queues", buildKey(await readPins([volcano]), ldflags));
  await ensurePrograms([generator], { folder, onProgress });
  const types = "volcano.sh/apis/pkg/apis/scheduling/v1beta1";
  const generated = await promisify(execFile)(
    join(folder, generator.name),
    ["crd", `paths=${types}`, "output:crd:stdout"],
    { cwd: volcano, env: { ...process.env, CGO_ENABLED: "0", GOWORK: "off", GOFLAGS: "" } },
  );
  const name = "sigs.k8s.io/scheduler-plugins";
  const answer = await runGo(["mod", "download", "-json", name], kueue, {
    what: `${name} has to be in Go's module cache`,
  });
  const { Dir: source } = z.object({ Dir: z.string() }).parse(JSON.parse(answer));
  const bases = join(source, "config", "crd", "bases");
  return {
    volcano: generated.stdout,
    schedulerPlugins: await readFile(join(bases, "scheduling.x-k8s.io_podgroups.yaml"), "utf8"),
  };
}
