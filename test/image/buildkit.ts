import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";

const words = z
  .array(z.string())
  .nullable()
  .transform((list) => list ?? []);
/** Values come as written; their quotes are taken off only when an image is built. */
const pairs = z
  .array(z.object({ Key: z.string(), Value: z.string() }))
  .transform((list) =>
    Object.fromEntries(list.map(({ Key, Value }) => [Key, Value.replace(/^"(.*)"$/, "$1")])),
  );

const line = z.number();
const instruction = z.discriminatedUnion("name", [
  z.object({ name: z.literal("WORKDIR"), line, values: z.object({ Path: z.string() }) }),
  z.object({
    name: z.literal("COPY"),
    line,
    values: z.object({ SourcePaths: words, DestPath: z.string(), From: z.string() }),
  }),
  z.object({ name: z.literal("RUN"), line, values: z.object({ CmdLine: words, PrependShell: z.boolean() }) }),
  z.object({ name: z.literal("LABEL"), line, values: z.object({ Labels: pairs }) }),
  z.object({ name: z.literal("ENV"), line, values: z.object({ Env: pairs }) }),
  z.object({ name: z.literal("USER"), line, values: z.object({ User: z.string() }) }),
  z.object({ name: z.literal("EXPOSE"), line, values: z.object({ Ports: words }) }),
  z.object({
    name: z.literal("ENTRYPOINT"),
    line,
    values: z.object({ CmdLine: words, PrependShell: z.boolean() }),
  }),
]);

const reading = z.object({
  stages: z.array(z.object({ name: z.string(), base: z.string(), instructions: z.array(instruction) })),
  warnings: z.array(z.string()),
  context: z.array(z.string()),
});

export type Reading = z.infer<typeof reading>;
export type Stage = Reading["stages"][number];
type Instruction = z.infer<typeof instruction>;

/**
 * What BuildKit's own parser reads in the folder's Dockerfile, and the files that its .dockerignore lets through.
 * The first call on a machine compiles the parser into Go's build cache.
 * @throws Error with the parser's words when it refuses the Dockerfile, or with zod's when an instruction is new here.
 */
export async function readDockerfile(folder: string): Promise<Reading> {
  const { stdout } = await promisify(execFile)("go", ["run", "-trimpath", "-buildvcs=false", ".", folder], {
    cwd: join(import.meta.dirname, "buildkit"),
    // A workspace or build flags of the user's shell must not change what is built.
    env: { ...process.env, CGO_ENABLED: "0", GOWORK: "off", GOFLAGS: "" },
    maxBuffer: 64 * 2 ** 20,
  });
  return reading.parse(JSON.parse(stdout));
}

/** The stage's instructions of one kind, in order. */
export function instructionsOf<Name extends Instruction["name"]>(
  stage: Stage,
  name: Name,
): Extract<Instruction, { name: Name }>[] {
  return stage.instructions.filter(
    (each): each is Extract<Instruction, { name: Name }> => each.name === name,
  );
}
