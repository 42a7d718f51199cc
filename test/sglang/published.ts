import { readFileSync } from "node:fs";
import { z } from "zod";
import { CHECKPOINTS } from "./checkpoints.ts";
import type { ServerCommand } from "./parser.ts";

const Expectation = z.enum([
  "accepted",
  "no-mimo-reasoning-parser",
  "no-fa4-vision-attention",
  "no-model-class",
  "no-cuda-graph-max-bs-decode",
  "ambiguous-cuda-graph-max-bs",
  "no-enable-mtp",
  "no-collect-tokens-histogram",
  "fused-qkv",
]);
export type Expectation = z.infer<typeof Expectation>;

const PublishedCommand = z.strictObject({
  id: z.string(),
  /** Repository, path and commit, or the page it stands on. */
  source: z.string(),
  variant: z.enum(["MiMo-V2-Flash", "MiMo-V2.5", "MiMo-V2.5-Pro"]),
  hardware: z.string(),
  nodes: z.int(),
  gpusPerNode: z.int(),
  /** The page's switches that are on. */
  toggles: z.array(z.string()),
  /** What the page shows when only variant and hardware are picked. */
  default: z.boolean(),
  image: z.string().nullable(),
  env: z.record(z.string(), z.string()),
  /** Arguments separated by one space; none contains a space. */
  command: z.string().transform((command) => command.split(" ")),
  /** What each wheel says of it. */
  verdicts: z.strictObject({
    "0.5.7": Expectation,
    "0.5.11": Expectation,
    "0.5.18": Expectation,
    "0.5.23": Expectation,
  }),
});
export type PublishedCommand = z.infer<typeof PublishedCommand>;

/** Commands that SGLang's cookbook, the model cards and others published for MiMo. */
export const PUBLISHED: readonly PublishedCommand[] = z
  .array(PublishedCommand)
  .parse(JSON.parse(readFileSync(new URL("published.json", import.meta.url), "utf8")));

/** A published command as rank 0 of its group would run it. */
export function asServerCommand({ id, command, env, variant }: PublishedCommand): ServerCommand {
  return {
    id,
    argv: command,
    env: { ...env, NODE_RANK: "0", NODE0_ADDRESS: "mimo-0.mimo" },
    checkpoint: CHECKPOINTS[variant],
  };
}
