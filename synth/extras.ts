import type { DeploymentSpec } from "../crds/deployment.ts";
import type { RuntimeImage } from "./catalogue/runtimes.ts";
import type { Findings } from "./errors.ts";

type ExtraEnv = NonNullable<NonNullable<DeploymentSpec["server"]>["extraEnv"]>;

const fromHardware = "it follows spec.variant and spec.hardware";
const fromRecipe = "it follows the recipe";
const byDataParallel = "use spec.features.dataParallelAttention";
const byExpertParallel = "use spec.features.expertParallelism";
const byDeepEP = "use spec.features.deepEP";
const bySpeculation = "use spec.features.speculativeDecoding";
const byModel = "use spec.model";
const byCache = "use MiMoPlatform cacheVolume";
const byFabric = "it is of the platform's network, MiMoPlatform hardware[].fabric";
const kernelsInImage = "images keep attention kernels below their own home";

/** Options that the plan decides even where it leaves them out, aliases and negations included, and what to do instead. */
const ownedOptions: Readonly<Record<string, string>> = {
  "--config": "a file of options would set what the plan sets",
  "--model": byModel,
  "--model-path": byModel,
  "--revision": "use spec.model.huggingFace.revision",
  "--download-dir": byModel,
  "--model-loader-extra-config": "it follows the model's source",
  "--weight-loader-prefetch-checkpoints": "it follows the model's source",
  "--no-weight-loader-prefetch-checkpoints": "it follows the model's source",
  "--disable-weight-loader-prefetch-checkpoints": "it follows the model's source",
  "--trust-remote-code": "it is always on",
  "--no-trust-remote-code": "the checkpoints need their code",
  "--served-model-name": "use spec.server.servedModelName",
  "--context-length": "use spec.contextLength",
  "--host": "probes and Services need 0.0.0.0",
  "--port": "use spec.server.port",
  "--api-key": "use spec.server.apiKeySecret",
  "--enable-metrics": "metrics are always on",
  "--tp": fromHardware,
  "--tp-size": fromHardware,
  "--tensor-parallel-size": fromHardware,
  "--pp": fromHardware,
  "--pp-size": fromHardware,
  "--pipeline-parallel-size": fromHardware,
  "--attn-cp-size": fromHardware,
  "--attention-context-parallel-size": fromHardware,
  "--base-gpu-id": fromHardware,
  "--gpu-id-step": fromHardware,
  "--nnodes": fromHardware,
  "--node-rank": fromHardware,
  "--dist-init-addr": fromHardware,
  "--nccl-init-addr": fromHardware,
  "--dist-timeout": "it is the startup budget",
  "--watchdog-timeout": "it follows what compiling may take",
  "--dp": byDataParallel,
  "--dp-size": byDataParallel,
  "--data-parallel-size": byDataParallel,
  "--attn-dp-size": byDataParallel,
  "--attention-data-parallel-size": byDataParallel,
  "--enable-dp-attention": byDataParallel,
  "--enable-dp-lm-head": byDataParallel,
  "--mm-enable-dp-encoder": byDataParallel,
  "--ep": byExpertParallel,
  "--ep-size": byExpertParallel,
  "--expert-parallel-size": byExpertParallel,
  "--moe-dp-size": byExpertParallel,
  "--moe-data-parallel-size": byExpertParallel,
  "--moe-a2a-backend": byDeepEP,
  "--deepep-mode": byDeepEP,
  "--moe-dense-tp-size": byDeepEP,
  "--speculative-algorithm": bySpeculation,
  "--speculative-algo": bySpeculation,
  "--speculative-num-steps": bySpeculation,
  "--speculative-eagle-topk": bySpeculation,
  "--speculative-num-draft-tokens": bySpeculation,
  "--speculative-draft-model": bySpeculation,
  "--speculative-draft-model-path": bySpeculation,
  "--enable-multi-layer-eagle": bySpeculation,
  "--reasoning-parser": "use spec.features.reasoningParser",
  "--tool-call-parser": "use spec.features.toolCallParser",
  "--mem-fraction-static": "the memory estimate rests on the recipe's",
  "--max-running-requests": "use spec.profile",
  "--cuda-graph-max-bs": "use spec.profile",
  "--cuda-graph-max-bs-decode": "use spec.profile",
  "--chunked-prefill-size": fromRecipe,
  "--page-size": fromRecipe,
  "--swa-full-tokens-ratio": "use spec.contextLength",
  "--max-total-tokens": "use spec.contextLength",
  "--attention-backend": fromRecipe,
  "--prefill-attention-backend": fromRecipe,
  "--decode-attention-backend": fromRecipe,
  "--mm-attention-backend": fromRecipe,
  "--moe-runner-backend": fromRecipe,
};

/** Options under which the server can't be what the operator makes of it. */
const unsupportedOptions: Readonly<Record<string, string>> = {
  "--disaggregation-mode": "a server that only prefills or only decodes answers no requests by itself",
  "--encoder-only": "a server of encoders alone answers no requests by itself",
  "--language-only": "a server without its encoders needs others to answer",
  "--grpc-mode": "probes and Services speak HTTP",
  "--smg-grpc-mode": "probes and Services speak HTTP",
  "--ssl-certfile": "probes speak plain HTTP; end TLS in front of the Service",
  "--ssl-keyfile": "probes speak plain HTTP; end TLS in front of the Service",
};

/** Variables that the plan or the pod template sets in some deployment, and what to do instead. */
const ownedVariables: Readonly<Record<string, string>> = {
  NODE_RANK: fromHardware,
  RANK0_HOST: fromHardware,
  DIST_PORT: fromHardware,
  GROUP_ID: fromHardware,
  GROUP_NAME: fromHardware,
  SGLANG_API_KEY: "use spec.server.apiKeySecret",
  HF_TOKEN: "use spec.model.huggingFace.tokenSecret",
  HUGGING_FACE_HUB_TOKEN: "use spec.model.huggingFace.tokenSecret",
  HF_HUB_OFFLINE: "it follows the model's source",
  HOME: kernelsInImage,
  HF_HOME: kernelsInImage,
  HF_HUB_CACHE: kernelsInImage,
  HUGGINGFACE_HUB_CACHE: kernelsInImage,
  SGLANG_CACHE_DIR: kernelsInImage,
  FLASHINFER_WORKSPACE_BASE: byCache,
  SGLANG_DG_CACHE_DIR: byCache,
  DG_JIT_CACHE_DIR: byCache,
  TORCHINDUCTOR_CACHE_DIR: byCache,
  TRITON_CACHE_DIR: byCache,
  SGLANG_ENABLE_SPEC_V2: bySpeculation,
  SGLANG_DEEPEP_NUM_MAX_DISPATCH_TOKENS_PER_RANK: byDeepEP,
};
/** Owned where the plan sets them, else free. */
const sometimesOwned: Readonly<Record<string, string>> = {
  NCCL_MNNVL_ENABLE: fromHardware,
  NCCL_CUMEM_ENABLE: fromHardware,
};

/** Judges every extra argument against the plan's own options; argparse takes any unambiguous beginning of a name. */
export function checkExtraArguments(spec: DeploymentSpec, image: RuntimeImage, findings: Findings): void {
  const words = spec.server?.extraArgs ?? [];
  words.forEach((word, index) => {
    const field = `spec.server.extraArgs[${index}]`;
    const refuse = (code: "OptionOwned" | "OptionMalformed" | "OptionUnsupported", message: string) =>
      findings.refusals.push({ code, field, message });
    if (!/^-[^\d.]/.test(word)) {
      if (index === 0) {
        refuse(
          "OptionMalformed",
          `"${word}" is a value without an option before it: begin with an option, for example "--log-level"`,
        );
      }
      return;
    }
    const name = word.split("=", 1)[0] ?? word;
    if (/\s/.test(name)) {
      refuse(
        "OptionMalformed",
        `"${word}" holds a blank: write option and value as two items, or as --option=value`,
      );
      return;
    }
    if (!name.startsWith("--") || name === "--") {
      refuse("OptionMalformed", `"${word}" is no option of SGLang: they begin with "--" and a name`);
      return;
    }
    const owned = meant(name, ownedOptions);
    const unsupported = meant(name, unsupportedOptions);
    if (owned !== undefined) {
      const alias = owned === name ? "" : ` (SGLang reads it as ${owned})`;
      refuse(
        "OptionOwned",
        `${name}${alias} is the plan's: ${ownedOptions[owned]}. Remove it from extraArgs`,
      );
    } else if (unsupported !== undefined) {
      refuse("OptionUnsupported", `${name}: ${unsupportedOptions[unsupported]}. Remove it`);
    } else if (isBeginning(name, "--enable-hierarchical-cache")) {
      checkHierarchicalCache(spec, image, refuse);
    } else if (isBeginning(name, "--kv-cache-dtype")) {
      findings.warnings.push(
        `${field}: memory is estimated for a BF16 KV cache; with ${name} more tokens fit than status says`,
      );
    }
  });
}

/** The option that argparse takes `name` for, if it is one of `options`: itself, or a beginning of it. */
function meant(name: string, options: Readonly<Record<string, string>>): string | undefined {
  if (Object.hasOwn(options, name)) return name;
  return Object.keys(options).find((option) => isBeginning(name, option));
}

/** Three letters at least: shorter ones are ambiguous, and the server refuses them itself. */
const isBeginning = (name: string, option: string): boolean => name.length >= 3 && option.startsWith(name);

function checkHierarchicalCache(
  spec: DeploymentSpec,
  image: RuntimeImage,
  refuse: (code: "OptionUnsupported", message: string) => void,
): void {
  const variable = "SGLANG_ENABLE_UNIFIED_RADIX_TREE";
  switch (image.dialect.hierarchicalCache) {
    case "works":
      return;
    case "loses-sliding-window":
      refuse(
        "OptionUnsupported",
        `--enable-hierarchical-cache on runtime ${image.runtime} makes sliding window layers keep the whole context, five times the KV cache. Take runtime v0.5.23`,
      );
      return;
    case "needs-unified-radix-tree":
      if (spec.server?.extraEnv?.some(({ name, value }) => name === variable && value === "1") === true)
        return;
      refuse(
        "OptionUnsupported",
        `--enable-hierarchical-cache on runtime ${image.runtime} needs ${variable}=1 beside it. Add it to spec.server.extraEnv, or take runtime v0.5.23`,
      );
  }
}

/** What to do instead of setting a variable of the plan's; undefined where it never sets it. */
export const ownedVariable = (name: string): string | undefined =>
  Object.hasOwn(ownedVariables, name) ? ownedVariables[name] : undefined;

/** Judges extra variables against those of the plan, of which some are the platform's fabric. */
export function checkExtraEnv(
  extra: ExtraEnv,
  planned: Readonly<Record<string, string>>,
  ofFabric: Readonly<Record<string, string>>,
  findings: Findings,
): void {
  const fabric = Object.fromEntries(Object.keys(ofFabric).map((name) => [name, byFabric]));
  extra.forEach(({ name }, index) => {
    const sometimes = Object.hasOwn(planned, name) ? { ...sometimesOwned, ...fabric } : {};
    const owned = { ...ownedVariables, ...sometimes };
    const instead = Object.hasOwn(owned, name) ? owned[name] : undefined;
    if (instead === undefined) return;
    findings.refusals.push({
      code: "EnvironmentOwned",
      field: `spec.server.extraEnv[${index}]`,
      message: `${name} is the plan's: ${instead}. Remove it from extraEnv`,
    });
  });
}
