import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { type Command, Option } from "commander";
import { hardwareKinds, profiles, variants } from "../../crds/names.ts";
import { formatFinding } from "./finding.ts";
import { type Answers, ask, newDeployment } from "./new.ts";
import { readPlatformFile } from "./requests.ts";

/** Adds `new`. */
export function addNewCommand(program: Command, examples: (...lines: readonly string[]) => string): void {
  program
    .command("new")
    .description("Write a MiMoDeployment. Asks for what the options don't say. Needs no cluster.")
    .option("--name <name>", "its name")
    .option("-n, --namespace <name>", "its namespace; when absent, that of whoever applies it")
    .addOption(new Option("--variant <variant>", "the model").choices(variants))
    .addOption(new Option("--hardware <kind>", "the kind of node").choices(hardwareKinds))
    .addOption(new Option("--profile <profile>", "what to tune for (default: Balanced)").choices(profiles))
    .option("--replicas <number>", "serving groups (default: 1)")
    .option("--platform <file>", "file with the MiMoPlatform, by whose limits it is judged")
    .option("-o, --output <file>", "write it there, if there is no such file yet")
    .addHelpText(
      "after",
      `\nNothing is asked when name, variant and hardware are given.${examples(
        "new",
        "new --name chat --variant MiMo-V2.5 --hardware H200 | kubectl apply -f -",
        "new -o chat.yaml --platform platform.yaml",
      )}`,
    )
    .action(async ({ platform, output, ...given }: Answers & { platform?: string; output?: string }) => {
      const written = await write(given, platform, output);
      for (const error of written) process.stderr.write(`error: ${error}\n`);
      if (written.length > 0) process.exitCode = 1;
    });
}

/** @returns every reason why nothing was written */
async function write(
  given: Answers,
  platformFile: string | undefined,
  output: string | undefined,
): Promise<readonly string[]> {
  const platform =
    platformFile === undefined ? undefined : await readPlatformFile(platformFile, process.stdin);
  if (platform !== undefined && platform.findings.length > 0) return platform.findings.map(formatFinding);
  const isComplete = given.name !== undefined && given.variant !== undefined && given.hardware !== undefined;
  const answers = isComplete ? given : await askOnTerminal(given);
  if (answers === undefined) return ["the last questions have no answer: nothing is written"];
  const made = newDeployment(answers, platform?.spec);
  if ("refusals" in made) return made.refusals;
  if (output === undefined) process.stdout.write(made.yaml);
  else return await writeNew(output, made.yaml);
  return [];
}

/** Questions go to standard error, so that standard output is the file and nothing else. */
async function askOnTerminal(given: Answers): Promise<Answers | undefined> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const lines = terminal[Symbol.asyncIterator]();
  try {
    return await ask(given, {
      read: async () => {
        const { done, value } = await lines.next();
        return done ? undefined : value;
      },
      say: (text) => process.stderr.write(text),
    });
  } finally {
    terminal.close();
  }
}

async function writeNew(path: string, text: string): Promise<readonly string[]> {
  try {
    await writeFile(path, text, { flag: "wx" });
    return [];
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    const why = error.code === "EEXIST" ? "it exists already: remove it, or name another" : error.message;
    return [`${path} can't be written: ${why}`];
  }
}
