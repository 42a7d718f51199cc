import { spawn } from "node:child_process";

export interface KubectlResult {
  /** `null` when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs kubectl of the control plane's own version as its administrator. A non-zero end is a result, not an error. */
export function kubectl(
  controlPlane: { readonly binaries: { readonly kubectl: string }; readonly kubeconfig: string },
  args: readonly string[],
  options: { readonly input?: string } = {},
): Promise<KubectlResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(controlPlane.binaries.kubectl, args, {
      env: { ...process.env, KUBECONFIG: controlPlane.kubeconfig },
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
    // A command that ends before it read its input closes the pipe; its exit code tells the reason.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}
