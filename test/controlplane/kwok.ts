/** kwok: stands in for the kubelets of nodes that do not exist. */
import type { ControlPlane } from "./boot.ts";

/** Pod stages that come with this folder, as a path for `startKwok`. */
export const STAGES = {
  /** A bound pod is Running and Ready at once, a deleted one gone at once. */
  fast: `${import.meta.dirname}/stages/fast.yaml`,
  /** A bound pod is created, loads for some seconds and then becomes Ready. */
  loading: `${import.meta.dirname}/stages/loading.yaml`,
} as const;

export interface KwokOptions {
  /** Path of the pod stages' YAML. */
  readonly stages: string;
  /** How long a node's lease lasts (default 40, the kubelet's); it is renewed four times as often. */
  readonly nodeLeaseSeconds?: number;
}

const ANNOTATION = "kwok.x-k8s.io/node";

/** Marks a node as one of kwok's. */
export const KWOK_NODE_ANNOTATION: Readonly<Record<string, string>> = { [ANNOTATION]: "fake" };

/** Starts kwok. It keeps every node that has its annotation Ready, and plays the pods bound to them. */
export function startKwok(controlPlane: ControlPlane, options: KwokOptions): void {
  controlPlane.components.start(
    "kwok",
    controlPlane.binaries.kwok,
    [
      `--kubeconfig=${controlPlane.kwokKubeconfig}`,
      `--manage-nodes-with-annotation-selector=${ANNOTATION}=fake`,
      `--node-lease-duration-seconds=${options.nodeLeaseSeconds ?? 40}`,
      `--config=${import.meta.dirname}/stages/node.yaml`,
      `--config=${options.stages}`,
      "--cidr=10.64.0.0/10",
      "--v=WARN",
    ],
    // Keeps a configuration in the user's home out of the run.
    { KWOK_WORKDIR: controlPlane.directory },
  );
}

/** Ends kwok: from then on every node looks like one whose kubelet stopped. */
export async function stopKwok(controlPlane: ControlPlane): Promise<void> {
  await controlPlane.components.stop("kwok");
}
