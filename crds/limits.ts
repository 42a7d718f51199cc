import { z } from "zod";
import { profiles, runtimes, variants } from "./names.ts";
import { int32, objectName, queueName, setOf, text } from "./schema.ts";

const imagePrefix = text({
  max: 255,
  pattern: /^[a-z0-9]([a-z0-9._:-]*[a-z0-9])?(\/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)*$/,
  message:
    'limits.imageRepositories takes repositories and paths above them, without "/" at the end, for example "registry.example.com/models"',
});

const modelPrefix = text({
  max: 96,
  pattern: /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)?$/,
  message: 'limits.modelRepositories takes organisations and repositories, for example "XiaomiMiMo"',
});

const taintKey = text({
  max: 253,
  pattern: /^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$/,
  message: 'limits.tolerationKeys takes keys of taints, for example "nvidia.com/gpu"',
});

const keyDomain = text({
  max: 253,
  pattern: /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
  message: 'limits.podMetadataDomains takes what stands before the "/" of a key, for example "prometheus.io"',
});

/** What deployments may ask for. An absent list allows everything, an empty one nothing. */
export const limits = z.object({
  variants: setOf(z.enum(variants), variants.length).optional().describe("Checkpoints."),
  profiles: setOf(z.enum(profiles), profiles.length)
    .optional()
    .describe("Profiles; a deployment without one counts as Balanced."),
  runtimes: setOf(z.enum(runtimes), runtimes.length)
    .optional()
    .describe("Runtimes; a deployment without one counts as the default of its pair."),
  imageRepositories: setOf(imagePrefix, 32)
    .optional()
    .describe(
      "Repositories of spec.image and spec.model.image, or paths above them. The catalogue's images are not asked.",
    ),
  modelRepositories: setOf(modelPrefix, 32)
    .optional()
    .describe(
      "Hugging Face repositories or organisations of spec.model.huggingFace: a checkpoint brings code that runs. The catalogue's are not asked.",
    ),
  priorityClassNames: setOf(objectName("limits.priorityClassNames"), 32)
    .optional()
    .describe("PriorityClasses that a deployment may name."),
  tolerationKeys: setOf(taintKey, 32)
    .optional()
    .describe("Taints that a deployment may tolerate besides those of its hardware, by key."),
  queues: setOf(queueName("limits.queues"), 32)
    .optional()
    .describe(
      "Queues that a deployment may name: those of Volcano and KAI are shared by all namespaces. The platform's own is not asked.",
    ),
  podMetadataDomains: setOf(keyDomain, 32)
    .optional()
    .describe(
      "Domains of labels and annotations that a deployment may give its pods: what else runs in the cluster may act on them, such as Multus, which attaches networks. Keys without a domain are not asked.",
    ),
  groupsPerDeployment: int32(1, 1000)
    .optional()
    .describe(
      "Serving groups of one deployment, by its spec and by scaling; rollout.maxSurge has the same bound.",
    ),
  gpusPerNamespace: int32(1, 1_000_000)
    .optional()
    .describe("GPUs that the pods of one namespace may ask for: `mimo quota` makes ResourceQuotas of it."),
});
export type Limits = z.output<typeof limits>;
