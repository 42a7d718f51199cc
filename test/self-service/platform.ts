import { platformSpec } from "../../crds/platform.ts";

/** A platform with every limit there is. */
export const limitedPlatform = platformSpec.parse({
  allowedHostPaths: ["/mnt/models"],
  allowedPodTemplatePaths: ["/spec/hostAliases", "/spec/containers", "/spec/initContainers"],
  hardware: [{ kind: "GB300", namespaceLabels: { team: "research" } }],
  limits: {
    variants: ["MiMo-V2-Flash", "MiMo-V2.5"],
    profiles: ["Balanced", "Latency"],
    runtimes: ["day0", "v0.5.18"],
    imageRepositories: ["registry.example.com/models"],
    modelRepositories: ["XiaomiMiMo"],
    priorityClassNames: [],
    tolerationKeys: ["spot"],
    queues: ["team-a"],
    podMetadataDomains: ["example.com"],
    groupsPerDeployment: 2,
    gpusPerNamespace: 32,
  },
});
