/** The words users write. The catalogue says what they mean. */

export const apiGroup = "mimo.dev";
export const apiVersion = "v1alpha1";

export const variants = ["MiMo-V2-Flash", "MiMo-V2-Flash-Base", "MiMo-V2.5", "MiMo-V2.5-Pro"] as const;
export type Variant = (typeof variants)[number];

export const hardwareKinds = ["H20", "H100", "H200", "B200", "GB300"] as const;
export type Hardware = (typeof hardwareKinds)[number];

export const profiles = ["Balanced", "Latency", "Throughput"] as const;
export type Profile = (typeof profiles)[number];

/** `day0`: the images published with the model; else a released SGLang version. */
export const runtimes = ["day0", "v0.5.18", "v0.5.23"] as const;
export type Runtime = (typeof runtimes)[number];

/** What may queue serving groups, or schedule one's ranks all or none. */
export const queueSystems = ["Kueue", "Volcano", "KAI", "SchedulerPlugins", "Native"] as const;
export type QueueSystem = (typeof queueSystems)[number];

export const featureModes = ["Auto", "Enabled", "Disabled"] as const;
export type FeatureMode = (typeof featureModes)[number];

/** Clusters whose nodes and network the catalogue describes. */
export const platformPresets = ["GKE", "EKS", "AKS", "CoreWeave", "OCI", "OnPremises"] as const;
export type PlatformPreset = (typeof platformPresets)[number];

/** The only MiMoPlatform that counts. */
export const platformName = "default";

/** The headless Service of a deployment's ranks is its name and this. */
export const ranksSuffix = "-ranks";
