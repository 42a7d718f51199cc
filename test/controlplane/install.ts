import type { Administrator } from "./boot.ts";
import { kubectl } from "./kubectl.ts";

type Kubectl = Pick<Administrator, "binaries" | "kubeconfig">;

/** Applies YAML that has definitions in it, and waits until they can be used. @throws Error in kubectl's words */
export async function installDocuments(administrator: Kubectl, yaml: string): Promise<void> {
  const args = ["apply", "--server-side", "-f", "-"];
  const { code, stderr } = await kubectl(administrator, args, { input: yaml });
  if (code !== 0) throw new Error(stderr);
  await untilEstablished(administrator);
}

/**
 * Waits until every kind that was installed can be used. kubectl's own `wait` fails on a kind in its first moment, when it
 * has no conditions yet.
 * @throws Error in kubectl's words when that takes longer than a minute
 */
export async function untilEstablished(administrator: Kubectl): Promise<void> {
  const args = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
  for (;;) {
    const { code, stderr } = await kubectl(administrator, args);
    if (code === 0) return;
    if (!stderr.includes(".status.conditions accessor error")) throw new Error(stderr);
  }
}
