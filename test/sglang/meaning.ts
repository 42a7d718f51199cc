import { z } from "zod";
import type { Value, Values } from "./parser.ts";

/** What a command asks of the server, whatever the version's spelling. */
export interface Meaning {
  readonly options: Readonly<Record<string, Value>>;
  readonly env: Readonly<Record<string, string>>;
}

export interface Difference {
  /** Canonical option (the newest wheel's destination) or, as `env NAME`, a variable. */
  readonly option: string;
  /** undefined: not given, or given with the server's default. */
  readonly ours: Value | undefined;
  readonly published: Value | undefined;
}

/** Older destination → the newest one. */
const RENAMED: Readonly<Record<string, string>> = {
  tensor_parallel_size: "tp_size",
  data_parallel_size: "dp_size",
  pipeline_parallel_size: "pp_size",
  expert_parallel_size: "ep_size",
  attention_context_parallel_size: "attn_cp_size",
  moe_data_parallel_size: "moe_dp_size",
  cuda_graph_max_bs: "cuda_graph_max_bs_decode",
  cuda_graph_bs: "cuda_graph_bs_decode",
};

/** Defaults that a newer wheel applies after parsing, where an older parser had them itself. */
const LATE_DEFAULTS: Readonly<Record<string, Value>> = {
  swa_full_tokens_ratio: 0.8,
  hicache_ratio: 2,
};

/**
 * The meaning of a parsed MiMo command. `values` are a verdict's (only what differs from the
 * parser's defaults); `env` is the container's environment.
 */
export function meaningOf(values: Values, env: Readonly<Record<string, string>> = {}): Meaning {
  const options: Record<string, Value> = {};
  for (const [destination, value] of Object.entries(values))
    options[RENAMED[destination] ?? destination] = value;

  // `--dp-size N --enable-dp-attention` became `--attn-dp-size N`; with one group it is off.
  if (options.enable_dp_attention === true) {
    if (options.dp_size !== undefined) options.attn_dp_size = options.dp_size;
    delete options.dp_size;
    delete options.enable_dp_attention;
  }
  // DeepEP spreads the experts over every rank, whatever --ep-size says.
  if (options.moe_a2a_backend === "deepep" && options.tp_size !== undefined)
    options.ep_size = options.tp_size;
  // The server turns it on for every MiMo model as soon as EAGLE is asked for.
  if (options.speculative_algorithm === "EAGLE") delete options.enable_multi_layer_eagle;
  if (typeof options.model_loader_extra_config === "string") {
    options.model_loader_extra_config = loaderConfig(options.model_loader_extra_config);
  }
  for (const [option, value] of Object.entries(LATE_DEFAULTS)) {
    if (options[option] === value) delete options[option];
  }
  return { options, env };
}

/** Where two commands ask for different things, sorted by option. */
export function differences(ours: Meaning, published: Meaning): readonly Difference[] {
  return [
    ...differing(ours.options, published.options),
    ...differing(ours.env, published.env).map((d) => ({ ...d, option: `env ${d.option}` })),
  ];
}

function differing(
  ours: Readonly<Record<string, Value>>,
  published: Readonly<Record<string, Value>>,
): readonly Difference[] {
  return [...new Set([...Object.keys(ours), ...Object.keys(published)])]
    .sort()
    .filter((option) => sortedJson(ours[option]) !== sortedJson(published[option]))
    .map((option) => ({ option, ours: ours[option], published: published[option] }));
}

/** The loader tests its flags for truth, so the string "true" of older pages means true. */
function loaderConfig(json: string): Value {
  return z.json().parse(JSON.parse(json, (_key, value: unknown) => (value === "true" ? true : value)));
}

function sortedJson(value: Value | undefined): string | undefined {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
