import { z } from "zod";
import { fabric } from "./fabric.ts";
import { limits } from "./limits.ts";
import { hardwareKinds, platformPresets, queueSystems } from "./names.ts";
import {
  absolutePath,
  bytesQuantity,
  int32,
  labelKey,
  labelMap,
  listByKey,
  objectName,
  queueName,
  setOf,
  text,
  toleration,
  withRules,
  words,
} from "./schema.ts";

/** How one kind of GPU node looks in this cluster. What is absent comes from the preset, else from the catalogue. */
const hardwareNodes = z.object({
  kind: z.enum(hardwareKinds).describe("The hardware kind that these settings are for."),
  nodeSelector: labelMap("nodeSelector", 16)
    .optional()
    .describe(
      "Labels of these nodes. Replaces the selector of the preset, or the catalogue's on nvidia.com/gpu.product.",
    ),
  tolerations: z
    .array(toleration)
    .max(16)
    .optional()
    .describe("Taints of these nodes, besides nvidia.com/gpu."),
  runtimeClassName: objectName("runtimeClassName").optional().describe("RuntimeClass of the pods."),
  nodeMemory: bytesQuantity("nodeMemory")
    .optional()
    .describe("Allocatable memory of one such node; bounds what pods ask for."),
  fabric: fabric
    .optional()
    .describe("How ranks on different nodes reach each other. Only for groups that span nodes."),
  mnnvl: z
    .enum(["Auto", "Off"])
    .optional()
    .describe(
      "NVLink between nodes, for deployments that leave it open. Off where NVIDIA's DRA driver can't be installed. Default: Auto.",
    ),
  nvlinkDomainLabel: labelKey("nvlinkDomainLabel")
    .optional()
    .describe("Node label whose value names the NVLink domain. Default: nvidia.com/gpu.clique."),
  nodesOnDemand: z
    .boolean()
    .optional()
    .describe(
      "True where nodes are added for pods that wait: groups then don't wait for free nodes. Default: false.",
    ),
  namespaceLabels: labelMap("namespaceLabels", 8)
    .optional()
    .describe(
      "Who may use these nodes: namespaces that carry all of these labels. Every namespace when absent.",
    ),
});

/** Nodes of one kind, whichever it is. */
export type HardwareNodes = Omit<z.output<typeof hardwareNodes>, "kind">;

const volumeSource = (field: string, what: string) =>
  withRules(
    z.object({
      persistentVolumeClaim: z
        .object({
          claimName: objectName(`${field}.persistentVolumeClaim.claimName`).describe(
            "A claim of this name in each deployment's namespace.",
          ),
        })
        .optional()
        .describe("A PersistentVolumeClaim that many pods can mount."),
      hostPath: z
        .object({ path: absolutePath(`${field}.hostPath.path`).describe("Folder on every node.") })
        .optional()
        .describe("A folder on the nodes."),
      shared: z
        .boolean()
        .optional()
        .describe(
          "True when it is a network file system that every node reads. Default: true for a claim, false for a folder.",
        ),
      readGibPerSecond: int32(1, 1000).optional().describe("Read rate of one node; sets the startup budget."),
    }),
    [
      {
        rule: "has(self.persistentVolumeClaim) != has(self.hostPath)",
        message: `${field} takes exactly one of persistentVolumeClaim and hostPath: ${what}`,
        check: (value) => (value.persistentVolumeClaim === undefined) !== (value.hostPath === undefined),
      },
    ],
  );

const queue = withRules(
  z.object({
    system: z
      .enum(queueSystems)
      .describe(
        "Kueue queues groups by quota; the others schedule the ranks of a group all or none. Native: Kubernetes' own gangs, alpha in 1.36.",
      ),
    name: queueName("queue.name")
      .optional()
      .describe(
        "Queue of deployments that name none. Without it those are not queued; with Volcano they are in its default queue.",
      ),
    topologyKey: labelKey("queue.topologyKey")
      .optional()
      .describe(
        "Kueue: node label of a level of its topology. All ranks of a group get nodes with one value of it.",
      ),
    schedulerName: objectName("queue.schedulerName")
      .optional()
      .describe(
        "Name of the system's scheduler. Default: volcano, kai-scheduler or scheduler-plugins-scheduler; Kueue and Native have none.",
      ),
  }),
  [
    {
      rule: "!has(self.topologyKey) || self.system == 'Kueue'",
      message: "queue.topologyKey is for Kueue alone: remove it",
      check: ({ system, topologyKey }) => topologyKey === undefined || system === "Kueue",
      fieldPath: ".topologyKey",
    },
    {
      rule: "!has(self.schedulerName) || !(self.system in ['Kueue', 'Native'])",
      message: "queue.schedulerName: Kueue and Native leave pods to the cluster's own scheduler: remove it",
      check: ({ system, schedulerName }) =>
        schedulerName === undefined || !["Kueue", "Native"].includes(system),
      fieldPath: ".schedulerName",
    },
    {
      rule: "!has(self.name) || !(self.system in ['SchedulerPlugins', 'Native'])",
      message: "queue.name: SchedulerPlugins and Native have no queues: remove it",
      check: ({ system, name }) => name === undefined || !["SchedulerPlugins", "Native"].includes(system),
      fieldPath: ".name",
    },
  ],
);

export const platformSpec = z.object({
  clusterDomain: text({
    max: 200,
    pattern: /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
    message: 'clusterDomain is the DNS domain of the cluster, for example "cluster.local"',
  })
    .optional()
    .describe("DNS domain of the cluster. Default: cluster.local."),
  preset: z
    .enum(platformPresets)
    .optional()
    .describe(
      "The kind of cluster: what the catalogue knows of its nodes' labels, taints and network. Each field written under hardware replaces the preset's.",
    ),
  hardware: listByKey(hardwareNodes, "kind", hardwareKinds.length)
    .optional()
    .describe("How the GPU nodes of this cluster look, by kind."),
  images: z
    .object({
      registry: text({
        max: 200,
        pattern: /^[a-z0-9.-]+(:[0-9]+)?(\/[a-z0-9._/-]+)?$/,
        message:
          'images.registry is a registry with an optional path, for example "registry.example.com/mirror"',
      })
        .optional()
        .describe("Mirror that the catalogue's images are pulled from: its name is put before theirs."),
      digests: listByKey(
        z.object({
          image: words(300).min(1).describe("An image of the catalogue, with its tag."),
          digest: text({
            max: 71,
            pattern: /^sha256:[0-9a-f]{64}$/,
            message: 'images.digests takes "sha256:" and 64 hexadecimal digits',
          }).describe("The digest that the tag is pinned to."),
        }),
        "image",
        64,
      )
        .optional()
        .describe("Pins tags to digests."),
      pullSecrets: setOf(objectName("images.pullSecrets"), 8)
        .optional()
        .describe("Image pull Secrets, by name, expected in each deployment's namespace."),
      runAsUser: int32(1, 2_147_483_647)
        .optional()
        .describe(
          "Number of the user that servers run as, for images built for one that isn't root: pods then pass Pod Security level restricted. Default: the image's own user.",
        ),
    })
    .optional()
    .describe("Where images come from."),
  modelStore: volumeSource("modelStore", "the volume with the checkpoints")
    .optional()
    .describe(
      "Where checkpoints lie, as <store>/<organisation>/<model>. Used when a deployment names no model source.",
    ),
  cacheVolume: volumeSource("cacheVolume", "the volume for compile caches")
    .optional()
    .describe("Where compile caches are kept between starts. Without it every start compiles again."),
  allowedHostPaths: z
    .array(absolutePath("allowedHostPaths"))
    .max(16)
    .optional()
    .describe(
      "Folders of nodes that deployments may mount as a model source, with what is below them. Default: none.",
    ),
  allowedPodTemplatePaths: setOf(
    text({
      max: 256,
      pattern: /^\/spec(\/([^/~]|~[01])+)*$/,
      message:
        'allowedPodTemplatePaths takes JSON pointers into the pod template that begin with /spec, for example "/spec/hostAliases"',
    }),
    32,
  )
    .optional()
    .describe(
      "Parts of the pod template that spec.podTemplate.patches may change, with what is below them. Limits don't look into patches. Default: none.",
    ),
  queue: queue.optional().describe("What queues serving groups. Without it none are queued."),
  updates: z
    .object({
      adoption: z
        .enum(["OnRequest", "Wave"])
        .optional()
        .describe(
          "OnRequest (the default): what runs stays until somebody sets the annotation mimo.dev/adopt. Wave: the operator adopts by itself, a few deployments at a time, and stops when one fails.",
        ),
      maxConcurrent: int32(1, 100)
        .optional()
        .describe("Wave: how many deployments may update at the same time. Default: 1."),
    })
    .optional()
    .describe(
      "How deployments take up what a newer operator or an edit of this platform would make of them.",
    ),
  limits: limits
    .optional()
    .describe("What deployments may ask for, checked when one is created or its spec changes."),
});
export type PlatformSpec = z.output<typeof platformSpec>;
