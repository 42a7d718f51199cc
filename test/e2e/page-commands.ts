/** Commands of the docs as a newcomer types them, and what they print. */
import { execFile } from "node:child_process";
import { delimiter, dirname, resolve } from "node:path";
import type { Administrator } from "../controlplane/boot.ts";

const root = resolve(import.meta.dirname, "../..");

/** In a shell in the checkout, with kubectl (and more programs, by their paths) on the PATH. */
export function runCommand(
  command: string,
  cluster: { readonly kubeconfig: string; readonly binaries: Pick<Administrator["binaries"], "kubectl"> },
  ...programs: readonly string[]
): Promise<{ failed: boolean; stdout: string; stderr: string }> {
  const { FORCE_COLOR: _, ...shell } = process.env;
  const PATH = [...[cluster.binaries.kubectl, ...programs].map(dirname), shell.PATH].join(delimiter);
  const env = { ...shell, PATH, KUBECONFIG: cluster.kubeconfig };
  return new Promise((done) => {
    execFile("bash", ["-o", "pipefail", "-c", command], { cwd: root, env }, (error, stdout, stderr) =>
      done({ failed: error !== null, stdout, stderr }),
    );
  });
}

/** Without what differs from one time to the next: ages, times, ports, hashes, which of several nodes; and with them the width of columns. */
export const settled = (text: string): string =>
  text
    .replaceAll(/\b\d+\.\d s\b/g, "TIME")
    .replaceAll(/\b(\d+[dhms])+\b/g, "AGE")
    .replaceAll(/(127\.0\.0\.1):\d+/g, "$1:PORT")
    .replaceAll(/\b[a-z]{12}\b/g, "REVISION")
    .replaceAll(/\b(h200|b200|gb300)-\d/g, "NODE")
    .replaceAll(/ +/g, " ")
    .replaceAll(/^ /gm, "")
    .trim();
