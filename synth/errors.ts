/** Every reason to refuse a request: what it is called, what it means, what to do. */
export const refusalCodes = {
  RuntimeUnavailable: {
    meaning: "No image of this runtime serves the variant on this hardware.",
    remedy: "Take another spec.runtime, or leave it out for the pair's default.",
  },
  ContextBeyondCheckpoint: {
    meaning: "The context is longer than the checkpoint was trained for.",
    remedy: "Lower spec.contextLength to the checkpoint's maximum.",
  },
  ContextDoesNotFit: {
    meaning: "One data parallel rank can't hold a request of this context in its KV cache.",
    remedy: "Lower spec.contextLength, take hardware with more memory, or set spec.memoryCheck: Warn.",
  },
  AttentionLayout: {
    meaning: "The checkpoint's fused qkv_proj can't be split over this many attention ranks.",
    remedy: "Set spec.features.dataParallelAttention as the message says.",
  },
  ImageUnsupported: {
    meaning: "The image can't load the checkpoint.",
    remedy: "Leave spec.image out, or name a tag that can.",
  },
  ImageRuntimeMismatch: {
    meaning: "The image's SGLang version doesn't take the options of spec.runtime.",
    remedy: "Make spec.runtime and spec.image.tag name the same version.",
  },
  HostPathNotAllowed: {
    meaning: "The platform doesn't let deployments mount this folder.",
    remedy: "Use another model source, or ask for the folder in MiMoPlatform's allowedHostPaths.",
  },
  NotAllowed: {
    meaning: "The platform doesn't let deployments ask for this.",
    remedy: "Take what the message names, or ask for a change of MiMoPlatform's limits.",
  },
  OptionOwned: {
    meaning: "An extra argument sets what the plan sets.",
    remedy: "Remove it and use the field that the message names.",
  },
  OptionMalformed: {
    meaning: "An extra argument isn't one word of a command line.",
    remedy: "Write options and values as separate items.",
  },
  OptionUnsupported: {
    meaning: "The option breaks the server or the probes with this checkpoint and runtime.",
    remedy: "Remove it, or take the runtime that the message names.",
  },
  EnvironmentOwned: {
    meaning: "An extra environment variable is the plan's.",
    remedy: "Remove it and use the field that the message names.",
  },
  NodeSelectorConflict: {
    meaning: "A node selector contradicts the hardware's.",
    remedy: "Remove the label, or take the hardware kind that has it.",
  },
  QueueSystemMissing: {
    meaning: "A queue is named, and the platform doesn't say whose.",
    remedy: "Remove spec.scheduling.queue, or set MiMoPlatform queue.system.",
  },
  QueueUnsupported: {
    meaning: "A queue is named, and the platform's system has none.",
    remedy: "Remove spec.scheduling.queue.",
  },
  SchedulerConflict: {
    meaning: "The queue's system has its own scheduler, and the request names another.",
    remedy: "Remove spec.scheduling.schedulerName.",
  },
  MnnvlUnavailable: {
    meaning: "NVLink between nodes is asked for where there is none.",
    remedy: "Remove spec.fabric.mnnvl.",
  },
  PatchOwned: {
    meaning: "A patch of the pod template changes what the plan or the operator decides.",
    remedy: "Remove the patch and use the field that the message names.",
  },
  PatchInvalid: {
    meaning: "A patch of the pod template can't be applied.",
    remedy: "Correct its path or value: `mimo render` without it shows the template.",
  },
  ResourcesInvalid: {
    meaning: "The pod's memory can't work.",
    remedy: "Raise or remove the field of spec.resources that the message names.",
  },
} as const satisfies Readonly<Record<string, { meaning: string; remedy: string }>>;
export type RefusalCode = keyof typeof refusalCodes;

/** What planning has to say besides its result. Steps add to it; nothing stops at the first refusal. */
export interface Findings {
  readonly refusals: { readonly code: RefusalCode; readonly field: string; readonly message: string }[];
  readonly warnings: string[];
  /** Ways in which the plan departs from the recipe, in words. */
  readonly derivations: string[];
}
export const noFindings = (): Findings => ({ refusals: [], warnings: [], derivations: [] });
