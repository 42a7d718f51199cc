/** docs/published-commands.md: what our plan of a pair asks of the server otherwise than its published command does, and why. */
import { writeFile } from "node:fs/promises";
import { code, page, table } from "../../charts/docs/markdown.ts";
import type { DeploymentSpec } from "../../crds/deployment.ts";
import type { FeatureMode, Hardware, Runtime } from "../../crds/names.ts";
import { commonDifferences, type Difference as Entry } from "../../synth/catalogue/differences.ts";
import { recipes } from "../../synth/catalogue/recipes.ts";
import { planDeployment } from "../../synth/plan.ts";
import { CHECKPOINTS } from "./checkpoints.ts";
import { type Difference, differences, type Meaning, meaningOf } from "./meaning.ts";
import { parseCommands, type ServerCommand, type Verdict } from "./parser.ts";
import { asServerCommand, PUBLISHED, type PublishedCommand } from "./published.ts";
import type { WheelVersion } from "./wheels.ts";

/** A published command and our plan of the same pair with the same switches, on one runtime. */
interface Pairing {
  readonly published: PublishedCommand;
  readonly hardware: Hardware;
  readonly runtime: Runtime;
  readonly wheel: WheelVersion;
}

export interface Explained extends Difference {
  /** The catalogue's; undefined: it has none. */
  readonly reason: string | undefined;
}

export interface Comparison extends Pairing {
  /** Why SGLang would not start the published command; undefined when it would. */
  readonly publishedError: string | undefined;
  readonly image: string;
  readonly rows: readonly Explained[];
}

const hardwareOf: Readonly<Record<string, Hardware>> = {
  h100: "H100",
  h200: "H200",
  b200: "B200",
  gb300: "GB300",
};

/** Published commands that are no recipe of a pair, and why they are not compared. */
const leftOut: Readonly<Record<string, string>> = {
  "flash-mi355x-opt-rp-tc": "AMD GPUs",
  "pro-mi355x-aigmkt": "AMD GPUs",
  "flash-modelcard": "its --enable-mtp is an option of no released SGLang",
  "pro-modelcard":
    "for Hopper at large: it adds --attention-backend fa3, --quantization fp8, --tokenizer-worker-num 64 and a port of its own",
  "pro-pr-16gpu-lws": "the model card's command again, for LeaderWorkerSet",
  "pro-issue-h200-2n": "from a bug report: the server rejects it",
  "base-g0-standard":
    "the generator's first revision, replaced by the one above: logging, parsers, warm-up and port of its own",
  "flash-ci-h200-4gpu": "SGLang's own test, on half a node",
  "base-ci-h200-8gpu": "SGLang's own test",
};

/** The launch pages stand against day0, the newest generator against both releases. */
function pairingsOf(published: PublishedCommand): readonly Pairing[] {
  const hardware = hardwareOf[published.hardware];
  if (hardware === undefined)
    throw new Error(`${published.id}: which hardware kind is ${published.hardware}?`);
  const pairing = { published, hardware };
  if (published.image?.endsWith(":latest") === true) {
    return [
      { ...pairing, runtime: "v0.5.18", wheel: "0.5.18" },
      { ...pairing, runtime: "v0.5.23", wheel: "0.5.23" },
    ];
  }
  return [{ ...pairing, runtime: "day0", wheel: published.variant === "MiMo-V2-Flash" ? "0.5.7" : "0.5.11" }];
}

const pairings = PUBLISHED.filter(({ id }) => !Object.hasOwn(leftOut, id)).flatMap(pairingsOf);

/** Compares every published recipe with ours, by what SGLang's own parser makes of both. @throws when a wheel can't be had. */
export async function compareAll(): Promise<readonly Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const wheel of new Set(pairings.map((pairing) => pairing.wheel))) {
    const own = pairings.filter((pairing) => pairing.wheel === wheel);
    const published = await parseCommands(
      wheel,
      own.map(({ published }) => asServerCommand(published)),
    );
    const plans = own.map((pairing, index) => planLike(pairing, parsed(published[index]).values));
    const ours = await parseCommands(
      wheel,
      plans.map(({ command }) => command),
    );
    for (const [index, pairing] of own.entries()) {
      const theirs = parsed(published[index]);
      const { command, image } = at(plans, index);
      comparisons.push({
        ...pairing,
        publishedError: theirs.verdict === "refused" ? theirs.error : undefined,
        image,
        rows: differences(
          meaning(parsed(ours[index]), command),
          meaningOf(theirs.values, pairing.published.env),
        ).map((difference) => ({ ...difference, reason: reasonOf(difference, pairing) })),
      });
    }
  }
  return comparisons;
}

type Parsed = Exclude<Verdict, { verdict: "unparsed" }>;

function parsed(verdict: Verdict | undefined): Parsed {
  if (verdict === undefined) throw new Error("a command without a verdict");
  if (verdict.verdict === "unparsed") throw new Error(`${verdict.id}: ${verdict.error}`);
  return verdict;
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`no item ${index}`);
  return item;
}

const meaning = (verdict: Parsed, { env = {} }: ServerCommand): Meaning => {
  const { NODE_RANK: _rank, RANK0_HOST: _host, DIST_PORT: _port, ...planned } = env;
  return meaningOf(verdict.values, planned);
};

/** Our plan of the pair with the switches that the published command has on, as rank 0 of its group. */
function planLike(
  { published, hardware, runtime }: Pairing,
  values: Parsed["values"],
): {
  command: ServerCommand;
  image: string;
} {
  const { options } = meaningOf(values);
  const mode = (on: boolean): FeatureMode => (on ? "Enabled" : "Disabled");
  const spec: DeploymentSpec = {
    variant: published.variant,
    hardware,
    runtime,
    replicas: 1,
    features: {
      speculativeDecoding: mode(options.speculative_algorithm === "EAGLE"),
      deepEP: mode(options.moe_a2a_backend === "deepep"),
      expertParallelism: mode(options.ep_size !== undefined),
      reasoningParser: mode(options.reasoning_parser !== undefined),
      toolCallParser: mode(options.tool_call_parser !== undefined),
    },
  };
  const result = planDeployment({ name: "x", namespace: "y", spec }, undefined);
  if (!result.accepted) throw new Error(`${published.id}: ${result.refusals[0].message}`);
  const { command, env, variant, image } = result.plan;
  const rendezvous = { NODE_RANK: "0", RANK0_HOST: "mimo-0.mimo", DIST_PORT: "20000" };
  const checkpoint = CHECKPOINTS[variant];
  return {
    command: { id: published.id, argv: command, env: { ...env, ...rendezvous }, checkpoint },
    image: image.reference,
  };
}

function reasonOf({ option }: Difference, { published, hardware, runtime }: Pairing): string | undefined {
  const era = runtime === "day0" ? "day0" : "release";
  const entries: readonly Entry[] = [
    ...recipes[published.variant][hardware].differences,
    ...commonDifferences,
  ];
  return entries.find(
    (entry) => (entry.era === era || entry.era === "both") && optionsOf(entry).includes(option),
  )?.reason;
}

/** "--dp-size, --enable-dp-attention" as the options of a meaning. */
function optionsOf({ setting }: Entry): readonly string[] {
  const names = setting
    .split(", ")
    .map((name) => (name.startsWith("--") ? name.slice(2).replaceAll("-", "_") : `env ${name}`));
  return names.includes("enable_dp_attention") ? [...names, "attn_dp_size"] : names;
}

export function publishedPage(comparisons: readonly Comparison[]): string {
  const everywhere = (option: string): boolean =>
    comparisons.every(({ rows }) => rows.some((row) => row.option === option));
  const common = comparisons[0]?.rows.filter(({ option }) => everywhere(option)) ?? [];
  return page("generate:published", [
    "# Published commands and ours",
    "Each launch command that SGLang's cookbook shows when only model and hardware are picked, against our plan of the same pair with the same switches. Both were read by the argument parser of the SGLang wheel that stands for the runtime, and are compared by what they ask of the server, whatever the spelling. A difference without a reason in the catalogue fails `npm run test:sglang`. Nothing was run on GPUs.",
    "## In every plan",
    table(
      ["Option", "Published", "Ours", "Why"],
      common.map(({ option, reason }) => [
        name(option),
        "absent",
        oursEverywhere(option, comparisons),
        reason ?? "",
      ]),
    ),
    "## Besides these",
    '"Starts": whether SGLang\'s own checks at start-up let the published command pass, as far as they run without a GPU.',
    table(
      [
        "Variant",
        "Hardware",
        "Runtime",
        "Published starts",
        "Image: published → ours",
        "Options: published → ours",
      ],
      comparisons.map((comparison) => comparisonRow(comparison, everywhere)),
    ),
    "## Not compared",
    table(
      ["Published command", "Source", "Why not"],
      PUBLISHED.filter(({ id }) => Object.hasOwn(leftOut, id)).map(({ id, source }) => [
        code(id),
        source,
        leftOut[id] ?? "",
      ]),
    ),
  ]);
}

/** The one value that all plans have, or that they differ. */
function oursEverywhere(option: string, comparisons: readonly Comparison[]): string {
  const values = comparisons.flatMap(({ rows }) =>
    rows.filter((row) => row.option === option).map(({ ours }) => shown(ours)),
  );
  const [first = "", ...others] = [...new Set(values)];
  return others.length === 0 ? first : "by the plan";
}

function comparisonRow(comparison: Comparison, everywhere: (option: string) => boolean): string[] {
  const { published, hardware, runtime, publishedError, image, rows } = comparison;
  const special = rows.filter(({ option }) => !everywhere(option));
  return [
    published.variant,
    hardware,
    runtime,
    publishedError === undefined ? "yes" : `no: ${publishedError}`,
    published.image === image ? code(image) : `${code(published.image ?? "none")} → ${code(image)}`,
    special.length === 0
      ? "none"
      : special
          .map(
            ({ option, ours, published, reason }) =>
              `${name(option)}: ${shown(published)} → ${shown(ours)} (${reason})`,
          )
          .join("; "),
  ];
}

const name = (option: string): string =>
  code(option.startsWith("env ") ? option.slice(4) : `--${option.replaceAll("_", "-")}`);

const shown = (value: Difference["ours"]): string =>
  value === undefined
    ? "absent"
    : value === true
      ? "present"
      : code(typeof value === "string" ? value : JSON.stringify(value));

export const pagePath = new URL("../../docs/published-commands.md", import.meta.url);

if (import.meta.main) await writeFile(pagePath, publishedPage(await compareAll()));
