/** Argo CD's Lua engine and three-way diff, kstatus and CEL, as the Go libraries that Argo CD and Flux are made of. */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { buildKey, cacheFolder, ensurePrograms, readPins } from "../controlplane/go-programs.ts";

const module = join(import.meta.dirname, "engines");
const sources = ["main.go", "lua.go", "kstatus.go", "diff.go", "cel.go"];
const ldflags = "-s -w";
const program = { name: "gitops-engines", module, package: ".", ldflags };

const answers = z.array(z.object({ result: z.unknown().optional(), error: z.string().optional() }));
export type Answer = z.output<typeof answers>[number];

async function ensureEngines(): Promise<string> {
  const texts = await Promise.all(sources.map((source) => readFile(join(module, source), "utf8")));
  const folder = cacheFolder("gitops", buildKey([await readPins([module]), ...texts].join(""), ldflags));
  await ensurePrograms([program], { folder, onProgress: (line) => console.error(line) });
  return join(folder, program.name);
}

/** One answer for each question. @throws Error when the engines can't be built, or can't read the questions. */
async function ask(engine: string, questions: readonly object[]): Promise<Answer[]> {
  const child = spawn(await ensureEngines(), [engine], { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.end(JSON.stringify(questions));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (stderr !== "") throw new Error(`${engine}: ${stderr}`);
  return answers.parse(JSON.parse(stdout));
}

export interface LuaQuestion {
  readonly script: string;
  readonly object: unknown;
  readonly openLibs: boolean;
}
export const runLua = (questions: readonly LuaQuestion[]): Promise<Answer[]> => ask("lua", questions);

export const computeKstatus = (objects: readonly object[]): Promise<Answer[]> => ask("kstatus", objects);

/** CEL expressions over an object's top level fields; an error where one asks for a field that isn't there. */
export const evaluateCel = (
  questions: readonly { readonly expression: string; readonly object: object }[],
): Promise<Answer[]> => ask("cel", questions);

/** What a client-side apply would change; an empty object where Argo CD calls it synced. */
export const threeWayDiff = (
  pairs: readonly { readonly git: object; readonly live: object }[],
): Promise<Answer[]> => ask("diff", pairs);
