import type { BadCase } from "../bad.ts";
import { platform, withoutSpec } from "../documents.ts";

const h200 = { kind: "H200" };
export const badPlatforms: readonly BadCase[] = [
  [
    "a platform of another name",
    platform({}, { name: "production" }),
    "metadata.name",
    'is "default": edit that one',
  ],
  ["a platform without spec", withoutSpec(platform({})), "spec", "Required value"],
  ["an unknown field of the platform", platform({ modelStorage: {} }), "spec.modelStorage", "unknown field"],
  [
    "a cluster domain in upper case",
    platform({ clusterDomain: "Cluster.Local" }),
    "spec.clusterDomain",
    '"cluster.local"',
  ],
  ["a hardware kind twice", platform({ hardware: [h200, h200] }), "spec.hardware[1]", "Duplicate value"],
  ["an unknown hardware kind", platform({ hardware: [{ kind: "A100" }] }), "spec.hardware[0].kind", '"H200"'],
  ["an unknown preset", platform({ preset: "gke" }), "spec.preset", '"GKE"'],
  [
    "a label of NVLink domains with a blank",
    platform({ hardware: [{ kind: "GB300", nvlinkDomainLabel: "nvlink domain" }] }),
    "spec.hardware[0].nvlinkDomainLabel",
    "is a label key",
  ],
  [
    "NVLink between nodes that a platform insists on",
    platform({ hardware: [{ kind: "GB300", mnnvl: "On" }] }),
    "spec.hardware[0].mnnvl",
    '"Auto"',
  ],
  [
    "a RuntimeClass in upper case",
    platform({ hardware: [{ kind: "H200", runtimeClassName: "NVIDIA" }] }),
    "spec.hardware[0].runtimeClassName",
    '"my-object"',
  ],
  [
    "node memory in bytes",
    platform({ hardware: [{ kind: "H200", nodeMemory: "2199023255552" }] }),
    "spec.hardware[0].nodeMemory",
    '"512Gi"',
  ],
  [
    "a registry with a scheme",
    platform({ images: { registry: "https://registry.example.com" } }),
    "spec.images.registry",
    '"registry.example.com/mirror"',
  ],
  [
    "an image pinned twice",
    platform({
      images: { digests: ["a", "a"].map((image) => ({ image, digest: `sha256:${"0".repeat(64)}` })) },
    }),
    "spec.images.digests[1]",
    "Duplicate value",
  ],
  [
    "a digest of the wrong length",
    platform({ images: { digests: [{ image: "a", digest: "sha256:0" }] } }),
    "spec.images.digests[0].digest",
    "64 hexadecimal digits",
  ],
  [
    "a model store of no kind",
    platform({ modelStore: {} }),
    "spec.modelStore",
    "exactly one of persistentVolumeClaim and hostPath",
  ],
  [
    "a model store of two kinds",
    platform({ modelStore: { persistentVolumeClaim: { claimName: "m" }, hostPath: { path: "/m" } } }),
    "spec.modelStore",
    "exactly one of persistentVolumeClaim and hostPath",
  ],
  [
    "a model store read at no rate",
    platform({ modelStore: { hostPath: { path: "/m" }, readGibPerSecond: 0 } }),
    "spec.modelStore.readGibPerSecond",
    "greater than or equal to 1",
  ],
  [
    "a cache at a relative path",
    platform({ cacheVolume: { hostPath: { path: "cache" } } }),
    "spec.cacheVolume.hostPath.path",
    '"/mnt/models"',
  ],
  [
    "an allowed folder that steps back",
    platform({ allowedHostPaths: ["/mnt/.."] }),
    "spec.allowedHostPaths[0]",
    "may not step back",
  ],
  [
    "a hardware label key with a space",
    platform({ hardware: [{ kind: "H200", nodeSelector: { "a b": "c" } }] }),
    "spec.hardware[0].nodeSelector",
    '"nvidia.com/gpu.product"',
  ],
  [
    "a hardware label value with a space",
    platform({ hardware: [{ kind: "H200", nodeSelector: { gpu: "b c" } }] }),
    "spec.hardware[0].nodeSelector",
    "is a label value",
  ],
  [
    "a pull Secret of the platform in upper case",
    platform({ images: { pullSecrets: ["Mirror"] } }),
    "spec.images.pullSecrets[0]",
    '"my-object"',
  ],
  [
    "a model store's claim in upper case",
    platform({ modelStore: { persistentVolumeClaim: { claimName: "Models" } } }),
    "spec.modelStore.persistentVolumeClaim.claimName",
    '"my-object"',
  ],
  [
    "a model store at a relative path",
    platform({ modelStore: { hostPath: { path: "models" } } }),
    "spec.modelStore.hostPath.path",
    '"/mnt/models"',
  ],
  [
    "a model store that steps back",
    platform({ modelStore: { hostPath: { path: "/mnt/../models" } } }),
    "spec.modelStore.hostPath.path",
    "may not step back",
  ],
  [
    "a cache of no kind",
    platform({ cacheVolume: { shared: true } }),
    "spec.cacheVolume",
    "exactly one of persistentVolumeClaim and hostPath",
  ],
  [
    "a cache's claim in upper case",
    platform({ cacheVolume: { persistentVolumeClaim: { claimName: "Cache" } } }),
    "spec.cacheVolume.persistentVolumeClaim.claimName",
    '"my-object"',
  ],
  [
    "a cache that steps back",
    platform({ cacheVolume: { hostPath: { path: "/var/cache/.." } } }),
    "spec.cacheVolume.hostPath.path",
    "may not step back",
  ],
  [
    "an allowed folder at a relative path",
    platform({ allowedHostPaths: ["mnt"] }),
    "spec.allowedHostPaths[0]",
    '"/mnt/models"',
  ],
];
