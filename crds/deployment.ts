import { z } from "zod";
import { featureModes, hardwareKinds, profiles, runtimes, variants } from "./names.ts";
import {
  absolutePath,
  annotationMap,
  bytesQuantity,
  int32,
  labelMap,
  listByKey,
  objectName,
  queueName,
  relativePath,
  secretKey,
  setOf,
  text,
  toleration,
  withRules,
  words,
} from "./schema.ts";

const feature = (what: string) =>
  z.enum(featureModes).optional().describe(`${what} Auto (when absent) follows the profile and the recipe.`);

const features = z.object({
  speculativeDecoding: feature("EAGLE speculative decoding on the checkpoint's MTP layers."),
  dataParallelAttention: feature("Attention split over data parallel ranks."),
  expertParallelism: feature("Experts spread over all GPUs of the group."),
  deepEP: feature("DeepEP all-to-all for experts; Hopper only, left out on Blackwell."),
  reasoningParser: feature("Separates thinking from the answer."),
  toolCallParser: feature("Turns tool calls into structured output."),
});

const image = withRules(
  z.object({
    repository: text({
      max: 255,
      pattern:
        /^([a-z0-9]+([.-]+[a-z0-9]+)*(:[0-9]{1,5})?\/)?[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/,
      message: 'image.repository is a repository without tag, for example "lmsysorg/sglang"',
    })
      .optional()
      .describe("Repository. The catalogue's when absent."),
    tag: text({
      max: 128,
      pattern: /^[A-Za-z0-9_][A-Za-z0-9._-]*$/,
      message: 'image.tag is a tag without ":", for example "v0.5.18"',
    })
      .optional()
      .describe("Tag. The catalogue's when absent."),
    digest: text({
      max: 71,
      pattern: /^sha256:[0-9a-f]{64}$/,
      message: 'image.digest is "sha256:" and 64 hexadecimal digits',
    })
      .optional()
      .describe("Digest; wins over the tag."),
    pullPolicy: z.enum(["Always", "IfNotPresent", "Never"]).optional().describe("IfNotPresent when absent."),
    pullSecrets: setOf(objectName("image.pullSecrets"), 8)
      .optional()
      .describe("Image pull Secrets of this namespace."),
  }),
  [
    {
      rule: "!has(self.repository) || has(self.tag) || has(self.digest)",
      message:
        "image.repository needs image.tag or image.digest beside it: the catalogue's tags are not those of another repository",
      check: (value) =>
        value.repository === undefined || value.tag !== undefined || value.digest !== undefined,
      fieldPath: ".repository",
    },
  ],
);

const model = withRules(
  z.object({
    huggingFace: z
      .object({
        repository: text({
          max: 96,
          pattern: /^[A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+$/,
          message: 'model.huggingFace.repository is organisation/model, for example "XiaomiMiMo/MiMo-V2.5"',
        })
          .optional()
          .describe("Repository. The variant's when absent."),
        revision: text({
          max: 64,
          pattern: /^[A-Za-z0-9_.-]+$/,
          message: "model.huggingFace.revision is a branch, tag or commit",
        })
          .optional()
          .describe("Branch, tag or commit."),
        tokenSecret: secretKey("model.huggingFace.tokenSecret").optional().describe("Access token."),
      })
      .optional()
      .describe("Download from Hugging Face into the pod at every start."),
    persistentVolumeClaim: z
      .object({
        claimName: objectName("model.persistentVolumeClaim.claimName").describe(
          "Name of the claim in this namespace.",
        ),
        path: relativePath("model.persistentVolumeClaim.path")
          .optional()
          .describe("Folder of the checkpoint in it."),
      })
      .optional()
      .describe("A volume that holds the checkpoint, mounted read-only."),
    hostPath: z
      .object({
        path: absolutePath("model.hostPath.path").describe("Folder of the checkpoint on every node."),
      })
      .optional()
      .describe("A folder on the nodes, mounted read-only, where the platform allows it."),
    image: z
      .object({
        reference: text({
          max: 512,
          pattern: /^[a-z0-9][A-Za-z0-9._:@/-]*$/,
          message:
            'model.image.reference is an OCI image, for example "registry.example.com/models/mimo-v2.5:1"',
        }).describe("OCI image that holds the checkpoint's files."),
        path: relativePath("model.image.path").optional().describe("Folder of the checkpoint in it."),
      })
      .optional()
      .describe("An OCI image mounted as a read-only volume."),
  }),
  [
    {
      rule: "[has(self.huggingFace), has(self.persistentVolumeClaim), has(self.hostPath), has(self.image)].filter(given, given).size() <= 1",
      message:
        "model takes at most one of huggingFace, persistentVolumeClaim, hostPath and image: keep the one that holds the checkpoint",
      check: (value) => Object.values(value).filter((source) => source !== undefined).length <= 1,
    },
  ],
);

const server = z.object({
  port: int32(1024, 55_535)
    .optional()
    .describe("HTTP port of the server; SGLang takes the one 10000 above it for gRPC. Default: 30000."),
  servedModelName: text({
    max: 128,
    pattern: /^[A-Za-z0-9_./-]+$/,
    message:
      "server.servedModelName is letters, digits, '_', '.', '/' and '-'; SGLang keeps ':' for adapters",
  })
    .optional()
    .describe("Model name in the OpenAI API. Default: the variant."),
  apiKeySecret: secretKey("server.apiKeySecret").optional().describe("Key that clients must send."),
  extraArgs: z
    .array(words(1024).min(1))
    .max(64)
    .optional()
    .describe("Further SGLang options, one word an item. What the plan owns is refused by name."),
  extraEnv: listByKey(
    z.object({
      name: text({
        max: 128,
        pattern: /^[A-Za-z_][A-Za-z0-9_]*$/,
        message: 'server.extraEnv names are letters, digits and "_", for example "NCCL_DEBUG"',
      }).describe("Name of the variable."),
      value: words(4096).describe("Its value."),
    }),
    "name",
    64,
  )
    .optional()
    .describe("Further environment variables. What the plan owns is refused by name."),
});

const resources = z.object({
  cpu: int32(1, 512).optional().describe("CPUs of one pod. The catalogue's when absent."),
  memory: bytesQuantity("resources.memory").optional().describe("Memory of one pod, /dev/shm included."),
  sharedMemory: bytesQuantity("resources.sharedMemory")
    .optional()
    .describe("Size of /dev/shm, counted in memory."),
});

const scheduling = z.object({
  nodeSelector: labelMap("scheduling.nodeSelector", 16)
    .optional()
    .describe("Further node labels to ask for."),
  tolerations: z.array(toleration).max(16).optional().describe("Further taints to tolerate."),
  priorityClassName: objectName("scheduling.priorityClassName")
    .optional()
    .describe("PriorityClass of the pods."),
  schedulerName: objectName("scheduling.schedulerName").optional().describe("Scheduler of the pods."),
  queue: queueName("scheduling.queue")
    .optional()
    .describe("Queue of the system that the platform names. The platform's queue when absent."),
});

const fabric = z.object({
  mnnvl: z
    .enum(["Auto", "On", "Off"])
    .optional()
    .describe(
      "NVLink between the nodes of a rack. Auto (when absent): where groups span such nodes, unless the platform says otherwise. On insists. Off: ranks talk over the network.",
    ),
});

const podPatch = withRules(
  z.object({
    op: z.enum(["add", "remove", "replace", "test"]).describe("Operation of RFC 6902."),
    path: text({
      max: 256,
      pattern: /^\/spec(\/([^/~]|~[01])+)+$/,
      message:
        'podTemplate.patches[].path is a JSON pointer below /spec of the pod template, for example "/spec/hostAliases"; podTemplate has labels and annotations for its metadata',
    }).describe("JSON pointer into the pod template, below /spec."),
    value: words(4096).optional().describe("The value as JSON text; a string has quotes of its own inside."),
  }),
  [
    {
      rule: "has(self.value) == (self.op != 'remove')",
      message: "podTemplate.patches: add, replace and test need a value, remove takes none",
      check: ({ op, value }) => (value !== undefined) === (op !== "remove"),
      fieldPath: ".value",
    },
  ],
);
export type PodPatch = z.output<typeof podPatch>;

const podTemplate = z.object({
  labels: withRules(labelMap("podTemplate.labels", 32), [
    {
      rule: "self.all(key, !key.startsWith('mimo.dev/') && !key.startsWith('app.kubernetes.io/') && !key.startsWith('apps.kubernetes.io/'))",
      message:
        "podTemplate.labels may not begin with mimo.dev/, app.kubernetes.io/ or apps.kubernetes.io/: those are the operator's; use a domain of your own",
      check: (map) => Object.keys(map).every((key) => !/^(mimo\.dev|apps?\.kubernetes\.io)\//.test(key)),
    },
  ])
    .optional()
    .describe("Further labels of the pods."),
  annotations: withRules(annotationMap("podTemplate.annotations", 32), [
    {
      rule: "self.all(key, !key.startsWith('mimo.dev/'))",
      message:
        "podTemplate.annotations may not begin with mimo.dev/: those are the operator's; use a domain of your own",
      check: (map) => Object.keys(map).every((key) => !key.startsWith("mimo.dev/")),
    },
  ])
    .optional()
    .describe("Further annotations of the pods."),
  patches: z
    .array(podPatch)
    .max(16)
    .optional()
    .describe(
      "Changes of the pod template by RFC 6902, in this order, where MiMoPlatform's allowedPodTemplatePaths lets them. Never of the command line, placement, claims, or the restart policy.",
    ),
});

const rollout = withRules(
  z.object({
    maxUnavailable: int32(0, 1000)
      .optional()
      .describe("Serving groups that may be missing during an update. Default: 1."),
    maxSurge: int32(0, 1000)
      .optional()
      .describe("Serving groups beyond replicas during an update; each needs free GPUs. Default: 0."),
    partition: int32(0, 1000)
      .optional()
      .describe("Serving groups that stay on the old revision. Default: 0."),
    paused: z.boolean().optional().describe("No group is updated while true."),
    onFailure: z
      .enum(["Pause", "Rollback"])
      .optional()
      .describe("What happens when a revision does not become Ready in its budget. Default: Pause."),
  }),
  [
    {
      rule: "!(has(self.maxUnavailable) && self.maxUnavailable == 0 && (!has(self.maxSurge) || self.maxSurge == 0))",
      message:
        "rollout.maxUnavailable 0 needs rollout.maxSurge 1 or more: otherwise no group could ever be updated",
      check: (value) => value.maxUnavailable !== 0 || (value.maxSurge ?? 0) > 0,
      fieldPath: ".maxUnavailable",
    },
  ],
);

const recovery = z.object({
  maxRestarts: int32(0, 100)
    .optional()
    .describe("Rebuilds of a group within the window before it is given up. Default: 5."),
  windowSeconds: int32(60, 86_400).optional().describe("Length of the window. Default: 3600."),
  nodeLossTimeoutSeconds: int32(10, 3600)
    .optional()
    .describe("How long a node must be unreachable before its pods are removed by force. Default: 120."),
});

export const deploymentSpec = z.object({
  variant: z.enum(variants).describe("The checkpoint to serve."),
  hardware: z.enum(hardwareKinds).describe("The kind of GPU node to serve it on."),
  profile: z.enum(profiles).optional().describe("What to tune for. Balanced when absent."),
  replicas: int32(0, 1000).default(1).describe("Serving groups. Each is a whole copy of the model."),
  contextLength: int32(1024, 16_777_216)
    .optional()
    .describe("Tokens of one request. When absent the checkpoint's maximum, or the largest that fits."),
  runtime: z.enum(runtimes).optional().describe("SGLang version. The recipe's when absent."),
  features: features.optional().describe("Switches of the published launch commands."),
  memoryCheck: z
    .enum(["Enforce", "Warn"])
    .optional()
    .describe("What happens when the memory estimate says it can't fit. Enforce when absent."),
  image: image.optional().describe("Another image than the catalogue's."),
  model: model.optional().describe("Where the checkpoint comes from. The platform's store when absent."),
  server: server.optional().describe("The HTTP server."),
  resources: resources.optional().describe("CPU and memory of each pod."),
  scheduling: scheduling.optional().describe("Where pods may run, besides what the hardware kind says."),
  fabric: fabric.optional().describe("What the ranks of a group talk over."),
  podTemplate: podTemplate
    .optional()
    .describe("Further metadata of the pods, and changes of their template."),
  rollout: rollout.optional().describe("How a new revision replaces the old one."),
  recovery: recovery.optional().describe("How a group that lost a rank is rebuilt."),
  suspend: z.boolean().optional().describe("True frees all GPUs and keeps the object."),
});
export type DeploymentSpec = z.output<typeof deploymentSpec>;
