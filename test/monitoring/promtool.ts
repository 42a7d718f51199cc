/** Prometheus's own tool, which reads rules and tries them on made-up series. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { buildKey, cacheFolder, ensurePrograms, readPins } from "../controlplane/go-programs.ts";

const module = join(import.meta.dirname, "promtool-module");
const ldflags = "-s -w";
const program = {
  name: "promtool",
  module,
  package: "github.com/prometheus/prometheus/cmd/promtool",
  ldflags,
  // Finding targets in two dozen clouds is most of what would be built.
  tags: "remove_all_sd",
};

/**
 * Its path: the one that PROMTOOL names, or the pinned one. The first call on a machine builds that, which takes many minutes.
 * @throws Error when Go is missing or the build fails.
 */
export async function ensurePromtool(): Promise<string> {
  const { PROMTOOL } = process.env;
  if (PROMTOOL !== undefined && PROMTOOL !== "") return PROMTOOL;
  const folder = cacheFolder("monitoring", buildKey((await readPins([module])) + program.tags, ldflags));
  await ensurePrograms([program], { folder, onProgress: (line) => console.error(line) });
  return join(folder, program.name);
}

/** Its exit code, and what it says. */
export function promtool(path: string, args: readonly string[]): Promise<{ code: number; said: string }> {
  return new Promise((resolve) => {
    execFile(path, args, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, said: stdout + stderr });
    });
  });
}
