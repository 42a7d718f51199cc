import { spawn } from "node:child_process";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../../..");

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the `mimo` command as a shell would, in the checkout, with nothing of a terminal. */
export function mimo(
  args: readonly string[],
  options: { input?: string; program?: string } = {},
): Promise<Ended> {
  const { FORCE_COLOR: _, ...env } = process.env;
  const program = options.program ?? join(root, "operator/cli/mimo.ts");
  const child = spawn(process.execPath, [program, ...args], { cwd: root, env });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  // A command that ends before it read its input closes the pipe.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** A document with two fields of its specification and, below them, further lines. */
export function deployment(name: string, spec = "{variant: MiMo-V2.5, hardware: H200}"): string {
  return `apiVersion: mimo.dev/v1alpha1\nkind: MiMoDeployment\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
}
