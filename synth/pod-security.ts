import type { ServingPlan } from "./serving-plan.ts";

/** Kubernetes' Pod Security levels, the strictest first. */
export const podSecurityLevels = ["restricted", "baseline", "privileged"] as const;
export type PodSecurityLevel = (typeof podSecurityLevels)[number];

export interface PodSecurity {
  /** The strictest level that a namespace may enforce on the pods. */
  readonly level: PodSecurityLevel;
  /** What goes beyond the level baseline, with the platform's setting that allows it. */
  readonly exceptions: readonly string[];
}

type Judged = Pick<ServingPlan, "image" | "hostPort" | "model" | "cache" | "resources">;

/** What the API server's Pod Security admission will say of a plan's pods. Nothing else in them depends on a setting. */
export function podSecurity({ image, hostPort, model, cache, resources }: Judged): PodSecurity {
  const exceptions = [
    ...(resources.devices === undefined ? [] : ["IPC_LOCK (hardware[].fabric.resources)"]),
    ...(hostPort === undefined ? [] : ["their node's network (hardware[].fabric.hostNetwork)"]),
    ...(model.source === "HostPath"
      ? [`the node's folder ${model.reference} (modelStore.hostPath or allowedHostPaths)`]
      : []),
    ...(cache.source === "HostPath" ? [`the node's folder ${cache.reference} (cacheVolume.hostPath)`] : []),
  ];
  if (exceptions.length > 0) return { level: "privileged", exceptions };
  return { level: image.runAsUser === undefined ? "baseline" : "restricted", exceptions };
}

/** For who would wonder where the pods are; none where level baseline takes them. */
export function podSecurityWarnings(plan: Judged): string[] {
  const { level, exceptions } = podSecurity(plan);
  if (level !== "privileged") return [];
  return [
    `a namespace that enforces Pod Security level baseline gets no pods, since by MiMoPlatform they have ${exceptions.join(", ")}: label it pod-security.kubernetes.io/enforce: privileged`,
  ];
}
