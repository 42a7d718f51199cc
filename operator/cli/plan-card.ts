import { styleText } from "node:util";
import { hardware } from "../../synth/catalogue/hardware.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import type { Outcome } from "./requests.ts";
import { alignColumns, bar, wrapWords } from "./table.ts";

const memoryBarColumns = 32;
const labelColumns = 14;

/** One deployment on a card: what runs where, whether it fits, the command line, and how far to trust it. */
export function planCard({ plan, replicas }: Extract<Outcome, { accepted: true }>, columns: number): string {
  const wrap = (text: string): string[] => wrapWords(text, columns - labelColumns);
  const { level, source, note } = plan.provenance;
  const rows: [label: string, lines: readonly string[]][] = [
    ["Groups", wrap(`${replicas}, each ${count(plan.nodes, "node")} with ${count(plan.gpusPerNode, "GPU")}`)],
    ["Parallel", [`TP ${plan.tensorParallel}, DP ${plan.dataParallel}, EP ${plan.expertParallel}`]],
    ["Image", [`${plan.image.reference}  (${plan.runtime}, ${plan.profile})`]],
    ["Checkpoint", wrap(checkpoint(plan))],
    ["Startup", wrap(`at most ${duration(plan.startupSeconds)}, then the pod is restarted`)],
    ["Nodes", pairs(plan.placement.nodeSelector)],
    ["Devices", pairs(plan.resources.devices ?? {})],
    ["GPU memory", memory(plan, wrap)],
    ["Environment", environment(plan)],
    ["Command", commandLines(plan.command)],
    [level, [...wrap(source), ...wrap(note)]],
    ...plan.warnings.map((warning): [string, string[]] => [styleText("yellow", "Warning"), wrap(warning)]),
  ];
  const title = `${plan.namespace}/${plan.name}: ${plan.variant} on ${plan.hardware}`;
  return card(styleText("bold", title), rows);
}

export function refusalCard(
  { name, findings }: Extract<Outcome, { accepted: false }>,
  columns: number,
): string {
  const title = `${findings[0]?.subject ?? name}: ${styleText("red", "refused")}`;
  return card(
    title,
    findings.map(({ code, message }) => [code, wrapWords(message, columns - labelColumns)]),
  );
}

function card(title: string, rows: readonly (readonly [string, readonly string[]])[]): string {
  const body = rows.flatMap(([label, lines]) =>
    lines.map((line, index) => [`  ${index === 0 ? label : ""}`, line]),
  );
  return `${[title, ...alignColumns(body)].join("\n")}\n`;
}

function checkpoint({ model }: ServingPlan): string {
  const size = `${Math.ceil(model.checkpointGib)} GiB`;
  switch (model.source) {
    case "Ephemeral":
      return `${size}, downloaded into ${model.mountPath} at every start`;
    case "PersistentVolumeClaim":
      return `${size}, from claim ${model.reference}`;
    case "HostPath":
      return `${size}, from ${model.reference} on the node`;
    case "Image":
      return `${size}, from image ${model.reference}`;
  }
}

function memory(plan: ServingPlan, wrap: (text: string) => string[]): string[] {
  const { weightsGibPerGpu, kvGibPerGpu, tokensPerDataParallelRank, fits } = plan.memory;
  const free = hardware[plan.hardware].freeGpuMemoryGib;
  const drawn = bar([weightsGibPerGpu, kvGibPerGpu], free, memoryBarColumns);
  const verdict = fits ? styleText("green", "fits") : styleText("red", "does not fit");
  return [
    `${drawn}  █ weights ${gib(weightsGibPerGpu)}, ▒ KV cache ${gib(kvGibPerGpu)} of ${gib(free)}`,
    ...wrap(
      `${tokens(tokensPerDataParallelRank)} tokens in each data parallel rank, context ${tokens(plan.contextLength)}: ${verdict} (estimated, not measured)`,
    ),
  ];
}

function environment({ env, secretEnv }: ServingPlan): string[] {
  return [
    ...pairs(env),
    ...secretEnv.map(({ name, secret, key }) => `${name} from Secret ${secret}, key ${key}`),
  ];
}

const pairs = (map: Readonly<Record<string, string>>): string[] =>
  Object.entries(map).map(([name, value]) => `${name}=${value}`);

/** One option a line, to be pasted into a shell. */
function commandLines(argv: readonly string[]): string[] {
  const lines: string[] = [];
  for (const word of argv) {
    const last = lines.pop();
    if (last === undefined) lines.push(quoted(word));
    else if (word.startsWith("--")) lines.push(last, `  ${quoted(word)}`);
    else lines.push(`${last} ${quoted(word)}`);
  }
  return lines.map((line, index) => (index === lines.length - 1 ? line : `${line} \\`));
}

const quoted = (word: string): string =>
  /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

const duration = (seconds: number): string =>
  seconds < 7200 ? `${Math.ceil(seconds / 60)} minutes` : `${(seconds / 3600).toFixed(1)} hours`;
const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;
const gib = (number: number): string => `${number.toFixed(1)} GiB`;
const tokens = (number: number): string => number.toLocaleString("en-US");
