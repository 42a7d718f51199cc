import {
  type Hardware,
  hardwareKinds,
  type PlatformPreset,
  platformPresets,
  type Runtime,
  runtimes,
  type Variant,
  variants,
} from "../../crds/names.ts";
import { commonDifferences, type Difference } from "../../synth/catalogue/differences.ts";
import { hardware } from "../../synth/catalogue/hardware.ts";
import { models } from "../../synth/catalogue/models.ts";
import { presets } from "../../synth/catalogue/platforms.ts";
import { recipes } from "../../synth/catalogue/recipes.ts";
import { runtimeImages } from "../../synth/catalogue/runtimes.ts";
import { refusalCodes } from "../../synth/errors.ts";
import { fabricEnv } from "../../synth/fabric.ts";
import { defaultRuntime } from "../../synth/image.ts";
import { planDeployment } from "../../synth/plan.ts";
import { bullets, code, page, table } from "./markdown.ts";

/** docs/recipes.md: every variant on every hardware kind with every runtime, as the planner settles it, and why. */
export function recipesPage(): string {
  return page("generate", [
    "# Recipes",
    "What each pair of `variant` and `hardware` is planned as when nothing else is written, for each `runtime`. The rows come from the same function that the operator and `mimo plan` call.",
    bullets([
      "**bold**: the runtime that the pair uses when `spec.runtime` is left out.",
      "**Groups**: nodes × GPUs of one serving group. **TP/DP/EP**: ranks of tensor, data (attention) and expert parallelism.",
      "**Context**: tokens of one request. **KV**: GiB of KV cache on each GPU. **Tokens**: what one data parallel rank holds. All memory figures are estimates from the checkpoint's tensors; **nothing here was measured on GPUs**.",
      "**Provenance**: `Verified` (its publisher says so), `Published` (published, not verified), `Derived` (ours; the reason is below).",
    ]),
    ...variants.flatMap(variantBlocks),
    "## Differences from every published command",
    "Option by option, each published command against our plan of the same pair: [published-commands.md](published-commands.md).",
    table(
      ["Setting", "Published", "Ours", "Why", "Runtimes"],
      commonDifferences.map((difference) => [...differenceCells(difference), eras[difference.era]]),
    ),
    "## Images",
    "Which image a runtime stands for, of which variants and on which GPU generation.",
    table(
      [
        "Runtime",
        "Variants",
        "GPUs",
        "Image",
        "SGLang",
        "CUDA",
        "Least driver",
        "amd64",
        "arm64",
        "DeepEP",
        "Source",
      ],
      runtimeImages.map((image) => [
        image.runtime,
        image.variants.join(", "),
        image.generation,
        code(`${image.repository}:${image.tag}`),
        image.sglang,
        image.cuda,
        image.leastDriver,
        image.amd64,
        image.arm64,
        image.deepEP,
        `uid ${image.uid}, ${image.home}`,
        image.source,
      ]),
    ),
    "Not established of these images:",
    bullets(
      runtimeImages.flatMap(({ tag, notEstablished }) =>
        notEstablished.map((what) => `${code(tag)}: ${what}`),
      ),
    ),
    "## Hardware",
    "The labels are those that NVIDIA's GPU feature discovery sets. A `MiMoPlatform` can name others.",
    table(
      [
        "Kind",
        "Generation",
        "GPUs of a node",
        "`nvidia.com/gpu.product`",
        "Free GPU memory",
        "NVLink between nodes",
        "Source",
      ],
      hardwareKinds.map((kind) => {
        const facts = hardware[kind];
        return [
          kind,
          facts.generation,
          String(facts.gpusPerNode),
          code(facts.productLabel),
          `${facts.freeGpuMemoryGib} GiB (not measured)`,
          facts.multiNodeNvlink ? "yes" : "no",
          facts.source,
        ];
      }),
    ),
    "## Clusters",
    "What `preset` of a `MiMoPlatform` stands for. Each field written under `hardware` replaces the one here. Fabric is for groups that span nodes. Nothing was tried on these clusters; what no source settles, `mimo plan` warns of.",
    table(
      ["Preset", "Kind", "Nodes", "Devices of a pod", "Variables", "NVLink domain", "Source"],
      platformPresets.flatMap((preset) => hardwareKinds.flatMap((kind) => presetRow(preset, kind))),
    ),
    "## Refusals",
    "A request that can't work is refused with one of these codes and a message that says what to write. `mimo plan` prints it; on a cluster it is the reason of the `Accepted` condition. What the API server itself knows to be impossible it refuses at `kubectl apply`.",
    table(
      ["Code", "Meaning", "What to do"],
      Object.entries(refusalCodes).map(([name, { meaning, remedy }]) => [code(name), meaning, remedy]),
    ),
  ]);
}

function presetRow(preset: PlatformPreset, kind: Hardware): string[][] {
  const nodes = presets[preset][kind];
  if (nodes === undefined) return [];
  const { nodeSelector = { "nvidia.com/gpu.product": hardware[kind].productLabel }, fabric = {} } = nodes;
  const list = (map: Readonly<Record<string, string>>) =>
    Object.entries(map)
      .map(([key, value]) => code(`${key}=${value}`))
      .join(", ");
  return [
    [
      preset,
      kind,
      list(nodeSelector),
      list(fabric.resources ?? {}),
      list(fabricEnv(fabric, false)),
      nodes.nvlinkDomainLabel === undefined ? "" : code(nodes.nvlinkDomainLabel),
      nodes.source,
    ],
  ];
}

const eras: Readonly<Record<Difference["era"], string>> = {
  day0: "day0",
  release: "releases",
  both: "all",
};

function variantBlocks(variant: Variant): string[] {
  const { notEstablished, source } = models[variant];
  return [
    `## ${variant}`,
    table(
      ["Hardware", "Runtime", "Groups", "TP/DP/EP", "Image tag", "Context", "KV", "Tokens", "Provenance"],
      hardwareKinds.flatMap((kind) => runtimes.map((runtime) => planRow(variant, kind, runtime))),
    ),
    `### Where the recipes of ${variant} come from`,
    table(
      ["Hardware", "Provenance", "Source", "Note"],
      hardwareKinds.map((kind) => {
        const { level, source, note } = recipes[variant][kind].provenance;
        return [kind, level, source, note];
      }),
    ),
    ...differencesOf(variant),
    `Checkpoint: ${source}.`,
    notEstablished.length === 0 ? "" : `Not established:\n\n${bullets(notEstablished)}`,
  ];
}

function planRow(variant: Variant, kind: Hardware, runtime: Runtime): string[] {
  const spec = { variant, hardware: kind, runtime, replicas: 1 };
  const result = planDeployment({ name: "recipe", namespace: "default", spec }, undefined);
  const shown = defaultRuntime(variant, kind) === runtime ? `**${runtime}**` : runtime;
  if (!result.accepted) {
    const reasons = result.refusals
      .map((refusal) => `refused (${refusal.code}): ${refusal.message}`)
      .join(" ");
    return [kind, shown, reasons, "", "", "", "", "", ""];
  }
  const { plan } = result;
  return [
    kind,
    shown,
    `${plan.nodes} × ${plan.gpusPerNode}`,
    `${plan.tensorParallel}/${plan.dataParallel}/${plan.expertParallel}`,
    code(plan.image.reference.slice(plan.image.reference.lastIndexOf(":") + 1)),
    grouped(plan.contextLength),
    plan.memory.kvGibPerGpu.toFixed(1),
    grouped(plan.memory.tokensPerDataParallelRank),
    plan.provenance.level,
  ];
}

/** Each difference of a variant once, with the hardware kinds that have it. */
function differencesOf(variant: Variant): string[] {
  const kindsOf = new Map<string, { difference: Difference; kinds: Hardware[] }>();
  for (const kind of hardwareKinds) {
    for (const difference of recipes[variant][kind].differences) {
      const key = JSON.stringify(difference);
      const known = kindsOf.get(key);
      if (known === undefined) kindsOf.set(key, { difference, kinds: [kind] });
      else known.kinds.push(kind);
    }
  }
  const elsewhere = "[what differs everywhere](#differences-from-every-published-command)";
  if (kindsOf.size === 0) return [`Besides the notes, nothing differs from the source but ${elsewhere}.`];
  return [
    `Where the published command is wrong or can't work, besides ${elsewhere}:`,
    table(
      ["Hardware", "Setting", "Published", "Ours", "Why", "Runtimes"],
      [...kindsOf.values()].map(({ difference, kinds }) => [
        kinds.join(", "),
        ...differenceCells(difference),
        eras[difference.era],
      ]),
    ),
  ];
}

const differenceCells = ({ setting, published, ours, reason }: Difference): string[] => [
  setting,
  published,
  ours,
  reason,
];

const grouped = (tokens: number): string => tokens.toLocaleString("en-US");
