import type { DeploymentSpec } from "../crds/deployment.ts";
import type { HardwareNodes } from "../crds/platform.ts";
import type { Toleration } from "../crds/schema.ts";
import type { HardwareFacts } from "./catalogue/hardware.ts";
import type { Findings } from "./errors.ts";
import type { PlacementPlan } from "./serving-plan.ts";

const archLabel = "kubernetes.io/arch";

/** Labels as GPU feature discovery sets them, or as the platform names them; the request may only narrow them. */
export function resolvePlacement(
  spec: DeploymentSpec,
  nodes: HardwareNodes,
  gpu: HardwareFacts,
  findings: Findings,
): PlacementPlan {
  const hardwareSelector = nodes.nodeSelector ?? {
    "nvidia.com/gpu.product": gpu.productLabel,
    ...(gpu.architecture === "arm64" && { [archLabel]: gpu.architecture }),
  };
  const asked = spec.scheduling ?? {};
  for (const [label, value] of Object.entries(asked.nodeSelector ?? {})) {
    const fixed = hardwareSelector[label];
    if (fixed === undefined || fixed === value) continue;
    findings.refusals.push({
      code: "NodeSelectorConflict",
      field: `spec.scheduling.nodeSelector[${label}]`,
      message: `${label}=${value} contradicts ${label}=${fixed} of hardware ${spec.hardware}: no node has both. Remove the label, or change spec.hardware`,
    });
  }
  return {
    nodeSelector: { ...asked.nodeSelector, ...hardwareSelector },
    tolerations: distinct([...gpu.tolerations, ...(nodes.tolerations ?? []), ...(asked.tolerations ?? [])]),
    ...(asked.priorityClassName !== undefined && { priorityClassName: asked.priorityClassName }),
    ...(asked.schedulerName !== undefined && { schedulerName: asked.schedulerName }),
    ...(nodes.runtimeClassName !== undefined && { runtimeClassName: nodes.runtimeClassName }),
  };
}

function distinct(tolerations: readonly Toleration[]): readonly Toleration[] {
  const identity = ({ key, operator, value, effect, tolerationSeconds }: Toleration) =>
    JSON.stringify([key, operator ?? "Equal", value, effect, tolerationSeconds]);
  return [...new Map(tolerations.map((toleration) => [identity(toleration), toleration])).values()];
}
