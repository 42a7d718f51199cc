import type { V1Volume, V1VolumeMount } from "@kubernetes/client-node";
import type { CachePlan, ModelPlan, ServingPlan } from "../synth/serving-plan.ts";

const model = "model";
const cache = "cache";
const sharedMemory = "shared-memory";

export function volumes(plan: ServingPlan): V1Volume[] {
  return [
    modelVolume(plan.model, plan.resources.ephemeralStorageGib),
    cacheVolume(plan.cache),
    // In memory, and so counted in the container's memory.
    {
      name: sharedMemory,
      emptyDir: { medium: "Memory", sizeLimit: `${plan.resources.sharedMemoryGib}Gi` },
    },
  ];
}

export function volumeMounts(plan: ServingPlan): V1VolumeMount[] {
  return [
    {
      name: model,
      mountPath: plan.model.mountPath,
      ...(plan.model.source !== "Ephemeral" && { readOnly: true }),
    },
    { name: cache, mountPath: plan.cache.mountPath },
    { name: sharedMemory, mountPath: "/dev/shm" },
  ];
}

function modelVolume({ source, reference }: ModelPlan, downloadGib: number | undefined): V1Volume {
  switch (source) {
    case "Ephemeral":
      return { name: model, emptyDir: downloadGib === undefined ? {} : { sizeLimit: `${downloadGib}Gi` } };
    case "PersistentVolumeClaim":
      // Read-only at the source too: some drivers attach a volume to many nodes only then.
      return { name: model, persistentVolumeClaim: { claimName: reference, readOnly: true } };
    case "HostPath":
      return { name: model, hostPath: { path: reference, type: "Directory" } };
    case "Image":
      return { name: model, image: { reference, pullPolicy: "IfNotPresent" } };
  }
}

function cacheVolume({ source, reference }: CachePlan): V1Volume {
  switch (source) {
    case "EmptyDir":
      return { name: cache, emptyDir: {} };
    case "PersistentVolumeClaim":
      return { name: cache, persistentVolumeClaim: { claimName: reference } };
    case "HostPath":
      return { name: cache, hostPath: { path: reference, type: "DirectoryOrCreate" } };
  }
}
