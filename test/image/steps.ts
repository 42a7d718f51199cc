import { spawn } from "node:child_process";
import { cp, mkdir } from "node:fs/promises";
import { delimiter, dirname, join, posix, sep } from "node:path";
import type { Stage } from "./buildkit.ts";

interface Places {
  /** The build context, of which only `files` may be seen. */
  readonly context: string;
  readonly files: readonly string[];
  /** Folders that stand for the root of each stage by name. */
  readonly rootOf: (stage: string) => string;
}

/**
 * Does what a stage's COPY, WORKDIR, ENV and RUN say in a folder that stands for the stage's root. Commands run with
 * this machine's programs and may name no absolute path: only their working directory is mapped.
 * @throws Error with the line and the command's last output when a command fails.
 */
export async function runStage(stage: Stage, { context, files, rootOf }: Places): Promise<void> {
  const root = rootOf(stage.name);
  const environment: Record<string, string> = {};
  let directory = "/";
  await mkdir(root, { recursive: true });
  for (const { name, line, values } of stage.instructions) {
    if (name === "WORKDIR") {
      directory = posix.resolve(directory, values.Path);
      await mkdir(join(root, directory), { recursive: true });
    } else if (name === "ENV") {
      Object.assign(environment, values.Env);
    } else if (name === "COPY") {
      // A slash at the end decides between folder and file, so it has to outlive `resolve`.
      const target =
        posix.resolve(directory, values.DestPath) + (/\/$|^\.$/.test(values.DestPath) ? "/" : "");
      for (const source of values.SourcePaths) {
        if (values.From === "") await copyFromContext(context, files, source, join(root, target));
        else await cp(join(rootOf(values.From), source), join(root, target), { recursive: true });
      }
    } else if (name === "RUN") {
      await shell(values.CmdLine.join(" "), join(root, directory), environment, line);
    }
  }
}

async function copyFromContext(
  context: string,
  files: readonly string[],
  source: string,
  target: string,
): Promise<void> {
  const prefix = source === "." ? "" : `${source}/`;
  const inside = files
    .filter((file) => file.startsWith(prefix))
    .map((file) => [file, file.slice(prefix.length)]);
  const copies = files.includes(source) ? [[source, source]] : inside;
  if (copies.length === 0) throw new Error(`COPY ${source}: .dockerignore lets no such file through`);
  for (const [from = "", to = ""] of copies) {
    await mkdir(dirname(join(target, to)), { recursive: true });
    await cp(join(context, from), join(target, to));
  }
}

async function shell(
  command: string,
  cwd: string,
  environment: Readonly<Record<string, string>>,
  line: number,
): Promise<void> {
  const child = spawn("/bin/sh", ["-c", command], {
    cwd,
    env: { ...cleanEnvironment(), ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-16_000);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject).once("close", resolve);
  });
  if (code !== 0) throw new Error(`Dockerfile:${line}: ${command} ended with ${code}:\n${output}`);
}

/** This process's environment without what a test runner, npm or a checkout's own programs put in it. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(npm_(?!config_registry)|VITEST|NODE_ENV$|NODE_OPTIONS$|NODE_PATH$)/.test(name),
  );
  const path = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => !folder.split(sep).includes("node_modules"))
    .join(delimiter);
  return { ...Object.fromEntries(inherited), PATH: path };
}
