import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { fetchWheel, type WheelVersion } from "./wheels.ts";

/** The fields of a checkpoint's config.json that the server's start-up checks read. */
export interface CheckpointConfig {
  readonly architectures: readonly [string];
  readonly num_key_value_heads: number;
  readonly attention_projection_layout?: "fused_qkv";
  readonly quantization_config: { readonly quant_method: string };
}

export interface ServerCommand {
  readonly id: string;
  /** The container's argv: `sglang serve …` or `python3 -m sglang.launch_server …`. */
  readonly argv: readonly string[];
  /** The container's environment. `$(NAME)` in argv is replaced from it, as the kubelet does. */
  readonly env?: Readonly<Record<string, string>>;
  /** Without it only the argument parser judges; with it the server's start-up checks run too. */
  readonly checkpoint?: CheckpointConfig;
}

const Value = z.json();
export type Value = z.infer<typeof Value>;

const Values = z.record(z.string(), Value);
/** Parser destination → value, only where it differs from the parser's default. */
export type Values = z.infer<typeof Values>;

const Verdict = z.discriminatedUnion("verdict", [
  z.object({ id: z.string(), verdict: z.literal("accepted"), values: Values }),
  /** Parsed, but one of the server's own checks would stop it at start-up. */
  z.object({ id: z.string(), verdict: z.literal("refused"), values: Values, error: z.string() }),
  /** The argument parser rejects it. */
  z.object({ id: z.string(), verdict: z.literal("unparsed"), error: z.string() }),
]);
export type Verdict = z.infer<typeof Verdict>;

/**
 * Judges commands with one SGLang wheel's argument parser and, where a checkpoint is given, its
 * start-up checks. One verdict per command, in their order; one Python process for all of them.
 * @throws when the wheel can't be fetched or its code doesn't run.
 */
export async function parseCommands(
  version: WheelVersion,
  commands: readonly ServerCommand[],
): Promise<readonly Verdict[]> {
  const wheel = await fetchWheel(version);
  const script = join(import.meta.dirname, "parse.py");
  const isolated = ["-S", "-X", `pycache_prefix=${wheel.bytecode}`];
  const running = promisify(execFile)("python3", [...isolated, script, wheel.source, wheel.libraries], {
    // SGLang reads dozens of SGLANG_* variables: only those of the command may count.
    env: { PATH: process.env.PATH },
    maxBuffer: 64 * 2 ** 20,
  });
  const lines = commands.map((command) => JSON.stringify({ ...command, argv: expanded(command) }));
  running.child.stdin?.end(`${lines.join("\n")}\n`);
  const { stdout } = await running.catch((error: unknown) => {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    throw new Error(`The code of SGLang ${version} didn't run:\n${said}`, { cause: error });
  });
  const verdicts = stdout
    .trim()
    .split("\n")
    .map((line) => Verdict.parse(JSON.parse(line)));
  if (verdicts.length !== commands.length) {
    throw new Error(`SGLang ${version} judged ${verdicts.length} of ${commands.length} commands.`);
  }
  return verdicts;
}

/** argv with `$(NAME)` replaced as the kubelet does: unknown names stay, `$$(NAME)` is an escape. */
export function expanded({ argv, env = {} }: Pick<ServerCommand, "argv" | "env">): readonly string[] {
  return argv.map((argument) =>
    argument.replace(/\$(\$\([^)]*\))|\$\(([^)]*)\)/g, (whole, escaped?: string, name?: string) =>
      escaped !== undefined ? escaped : ((name === undefined ? undefined : env[name]) ?? whole),
    ),
  );
}
