import { beforeAll, describe, expect, test } from "vitest";
import { CHECKPOINTS } from "./checkpoints.ts";
import { parseCommands, type ServerCommand, type Verdict } from "./parser.ts";
import { asServerCommand, type Expectation, PUBLISHED } from "./published.ts";
import { WHEEL_VERSIONS, type WheelVersion } from "./wheels.ts";

const ERRORS: Readonly<Record<Exclude<Expectation, "accepted">, RegExp>> = {
  "no-mimo-reasoning-parser": /--reasoning-parser: invalid choice: 'mimo'/,
  "no-fa4-vision-attention": /--mm-attention-backend: invalid choice: 'fa4'/,
  "no-model-class": /no model class MiMoV2ForCausalLM/,
  "no-cuda-graph-max-bs-decode": /unrecognized arguments: --cuda-graph-max-bs-decode/,
  "ambiguous-cuda-graph-max-bs": /ambiguous option: --cuda-graph-max-bs could match/,
  "no-enable-mtp": /unrecognized arguments: --enable-mtp/,
  "no-collect-tokens-histogram": /unrecognized arguments: --collect-tokens-histogram/,
  "fused-qkv": /requires effective attention TP size 8 .* got 16/,
};

describe.each(WHEEL_VERSIONS)("SGLang %s", (version) => {
  let verdicts: ReadonlyMap<string, Verdict>;

  beforeAll(async () => {
    const judged = await parseCommands(version, PUBLISHED.map(asServerCommand));
    verdicts = new Map(judged.map((verdict) => [verdict.id, verdict]));
  });

  test.each(PUBLISHED)(
    "judges the published command $id as recorded",
    ({ id, verdicts: { [version]: expected } }) => {
      const verdict = verdicts.get(id);
      if (expected === "accepted") {
        expect(verdict).toMatchObject({ verdict: "accepted" });
      } else {
        expect(verdict).toMatchObject({ verdict: expect.not.stringMatching("accepted") });
        expect(verdict).toHaveProperty("error", expect.stringMatching(ERRORS[expected]));
      }
    },
  );
});

function pro(id: string, ...args: readonly string[]): ServerCommand {
  return {
    id,
    argv: ["sglang", "serve", "--model-path", "XiaomiMiMo/MiMo-V2.5-Pro", ...args],
    env: { SGLANG_DEEPEP_NUM_MAX_DISPATCH_TOKENS_PER_RANK: "256" },
    checkpoint: CHECKPOINTS["MiMo-V2.5-Pro"],
  };
}

const SIXTEEN = ["--tp-size", "16", "--dp-size", "2", "--enable-dp-attention"] as const;

/** Commands the parser takes and the server doesn't: were a check skipped here, it would pass. */
const UNSTARTABLE: readonly { why: string; args: readonly string[]; error: RegExp }[] = [
  {
    why: "V2.5-Pro's fused qkv over 16 attention ranks",
    args: ["--tp-size", "16"],
    error: /requires effective attention TP size 8/,
  },
  {
    why: "16 GPUs over 3 nodes",
    args: [...SIXTEEN, "--nnodes", "3", "--node-rank", "0"],
    error: /divisible by number of nodes/,
  },
  {
    why: "data-parallel replicas over two nodes",
    args: ["--tp-size", "8", "--dp-size", "2", "--nnodes", "2", "--node-rank", "0"],
    error: /multi-node data.parallel/,
  },
  {
    why: "a prefill chunk per group that pages don't divide",
    args: [...SIXTEEN, "--chunked-prefill-size", "1000", "--page-size", "64"],
    error: /chunked_prefill_size must be divisible by page_size/,
  },
  {
    why: "dense layers over 4 ranks",
    args: [...SIXTEEN, "--moe-dense-tp-size", "4"],
    error: /moe_dense_tp_size only support/,
  },
  {
    why: "a model name with a colon",
    args: [...SIXTEEN, "--served-model-name", "mimo:pro"],
    error: /cannot contain a colon/,
  },
];

describe.each<WheelVersion>(["0.5.11", "0.5.18", "0.5.23"])("the start-up checks of SGLang %s", (version) => {
  let verdicts: readonly Verdict[];

  beforeAll(async () => {
    verdicts = await parseCommands(version, [
      ...UNSTARTABLE.map(({ why, args }) => pro(why, ...args)),
      pro("startable", ...SIXTEEN, "--nnodes", "2", "--node-rank", "1", "--moe-a2a-backend", "deepep"),
    ]);
  });

  test.each(UNSTARTABLE.map((command, index) => ({ ...command, index })))(
    "refuse $why",
    ({ index, error }) => {
      expect(verdicts[index]).toMatchObject({ verdict: "refused", error: expect.stringMatching(error) });
    },
  );

  test("let the documented two-node command start", () => {
    expect(verdicts.at(-1)).toMatchObject({ id: "startable", verdict: "accepted" });
  });
});

test("the start-up checks read the command's environment", async () => {
  const command = pro("hierarchical cache", "--tp-size", "8", "--enable-hierarchical-cache");
  const verdicts = await parseCommands("0.5.18", [
    command,
    { ...command, env: { SGLANG_ENABLE_UNIFIED_RADIX_TREE: "1" } },
    command,
  ]);
  expect(verdicts.map(({ verdict }) => verdict)).toEqual(["refused", "accepted", "refused"]);
});
