import { k8s } from "cdk8s-plus-28";
import type { Construct } from "constructs";
import type { ServingPlan } from "../synth/serving-plan.ts";
import { commonLabels, deploymentSelector } from "./names.ts";

/** One budget over all ranks of all groups: with one per group, a drain of two nodes would take two groups down. */
export function disruptionBudget(
  scope: Construct,
  { name, namespace }: ServingPlan,
): k8s.KubePodDisruptionBudget {
  return new k8s.KubePodDisruptionBudget(scope, "PodDisruptionBudget", {
    metadata: { name, namespace, labels: commonLabels(name) },
    spec: {
      maxUnavailable: k8s.IntOrString.fromNumber(1),
      // A rank that isn't ready serves nobody, and must not hold up the drain of its node.
      unhealthyPodEvictionPolicy: "AlwaysAllow",
      selector: { matchLabels: deploymentSelector(name) },
    },
  });
}
