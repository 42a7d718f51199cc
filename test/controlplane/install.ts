import type { Administrator } from "./boot.ts";
import { kubectl } from "./kubectl.ts";

/**
 * Waits until every kind that was installed can be used. kubectl's own `wait` fails on a kind in its first moment, when it
 * has no conditions yet.
 * @throws Error in kubectl's words when that takes longer than a minute
 */
export async function untilEstablished(
  administrator: Pick<Administrator, "binaries" | "kubeconfig">,
): Promise<void> {
  const args = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
  for (;;) {
    const { code, stderr } = await kubectl(administrator, args);
    if (code === 0) return;
    if (!stderr.includes(".status.conditions accessor error")) throw new Error(stderr);
  }
}
