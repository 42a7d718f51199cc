import type { V1EnvVar } from "@kubernetes/client-node";
import type { ServingPlan } from "../synth/serving-plan.ts";
import { annotations, labels, ranksServiceName } from "./names.ts";

/**
 * What tells a rank of a multi-node group which one it is and where all of them meet: NODE_RANK, RANK0_HOST and DIST_PORT.
 * All of it comes from the pod's own metadata, so that one template fits every group and formation.
 * The order counts: a variable can only be expanded after it was defined.
 */
export function rendezvousEnv({ name, namespace, nodes, clusterDomain }: ServingPlan): V1EnvVar[] {
  if (nodes === 1) return [];
  const fromPod = (variable: string, fieldPath: string): V1EnvVar => ({
    name: variable,
    valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } },
  });
  return [
    fromPod("GROUP_ID", `metadata.labels['${labels.group}']`),
    fromPod("NODE_RANK", `metadata.labels['${labels.podIndex}']`),
    fromPod("DIST_PORT", `metadata.annotations['${annotations.distPort}']`),
    {
      // The whole name: rank 0 binds it, and only the whole name is in its own /etc/hosts before DNS knows it. In the node's
      // network it isn't there: a rank that asks before DNS knows the pod exits and is started again.
      name: "RANK0_HOST",
      value: `${name}-$(GROUP_ID)-0.${ranksServiceName(name)}.${namespace}.svc.${clusterDomain}`,
    },
  ];
}
