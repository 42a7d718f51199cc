import type { DeploymentSpec } from "../crds/deployment.ts";
import type { HardwareNodes } from "../crds/platform.ts";
import type { HardwareFacts } from "./catalogue/hardware.ts";
import type { Recipe } from "./catalogue/recipes.ts";
import type { Findings } from "./errors.ts";
import type { NvlinkPlan } from "./serving-plan.ts";

/** GPU feature discovery sets it, and NVIDIA's DRA driver can: cluster UUID and clique id of the rack's fabric. */
const defaultDomainLabel = "nvidia.com/gpu.clique";

/**
 * Whether the ranks of a group use NVLink between their nodes (MNNVL): environment, IMEX channel and one NVLink domain all
 * follow from this one answer. undefined where they don't.
 */
export function resolveNvlink(
  spec: DeploymentSpec,
  nodes: HardwareNodes,
  gpu: HardwareFacts,
  recipe: Recipe,
  findings: Findings,
): NvlinkPlan | undefined {
  const asked = spec.fabric?.mnnvl ?? "Auto";
  const possible = gpu.multiNodeNvlink && recipe.nodes > 1;
  if (!possible) {
    if (asked === "On") {
      const why = gpu.multiNodeNvlink
        ? `a group of ${spec.variant} on ${spec.hardware} is one node`
        : `${spec.hardware} nodes have no NVLink between them`;
      findings.refusals.push({
        code: "MnnvlUnavailable",
        field: "spec.fabric.mnnvl",
        message: `${why}, so there is nothing that On could turn on. Remove the field`,
      });
    }
    return undefined;
  }
  if (asked === "Off" || (asked === "Auto" && nodes.mnnvl === "Off")) {
    const who = asked === "Off" ? "spec.fabric.mnnvl" : `MiMoPlatform hardware[${spec.hardware}].mnnvl`;
    findings.warnings.push(
      `${who} is Off: the ${recipe.nodes} nodes of a group talk over the network instead of NVLink, which is far slower`,
    );
    return undefined;
  }
  return { domainLabel: nodes.nvlinkDomainLabel ?? defaultDomainLabel };
}
