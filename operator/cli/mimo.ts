#!/usr/bin/env node
import { basename } from "node:path";
import { styleText } from "node:util";
import { Command, Option } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { addClusterCommands } from "./cluster-commands.ts";
import { runDemo } from "./demo.ts";
import { formatFinding } from "./finding.ts";
import { addInstallCommand } from "./install-command.ts";
import { addNewCommand } from "./new-command.ts";
import { type PlanFormat, plan, planFormats } from "./plan.ts";
import { type Review, reviewFiles } from "./requests.ts";

const failed = 1;
const wrongUsage = 2;
/** Where there is no terminal, or one that doesn't know how wide it is. */
const usualColumns = 110;
const leastColumns = 60;

interface FileOptions {
  readonly filename: string[];
  readonly platform?: string;
}

// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

// kubectl runs `kubectl-mimo` for `kubectl mimo`.
const name = basename(process.argv[1] ?? "").startsWith("kubectl-mimo") ? "kubectl mimo" : "mimo";

// What renders objects is imported by the commands that do: loading cdk8s takes longer than planning.
const program = new Command(name)
  .description(
    "Says what a MiMoDeployment becomes before anything is applied, and where it stands afterwards.",
  )
  .version(packageJson.version)
  .helpCommand(false)
  .showHelpAfterError(`(${name} --help tells more)`)
  .addHelpText("after", "\nExit status: 0 done, 1 refused or failed, 2 wrong usage.")
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : wrongUsage));

filesCommand("plan", "Print what each MiMoDeployment is resolved to, or why it is refused. Needs no cluster.")
  .addOption(
    new Option("-o, --output <format>", "for people or for programs").choices(planFormats).default("table"),
  )
  .addHelpText(
    "after",
    examples(
      "plan -f pro.yaml",
      "plan -f pro.yaml --platform platform.yaml",
      "plan -f deployments/*.yaml -o json",
      "plan -f - < pro.yaml",
    ),
  )
  .action(async ({ output, ...options }: FileOptions & { output: PlanFormat }, command: Command) => {
    const reviewed = await reviewOptions(options, command);
    process.stdout.write(plan(reviewed, output, columns()));
  });

filesCommand("render", "Print the objects that the operator would make, as YAML. Needs no cluster.")
  .addHelpText(
    "after",
    `\nPrints nothing when anything in the files is refused.${examples(
      "render -f pro.yaml",
      "render -f pro.yaml | kubectl diff -f -",
      "render -f deployments/*.yaml --platform platform.yaml",
    )}`,
  )
  .action(async (options: FileOptions, command: Command) => {
    const { render } = await import("./render.ts");
    process.stdout.write(render(await reviewOptions(options, command)) ?? "");
  });

addNewCommand(program, examples);
addClusterCommands(program, { columns, examples });

program
  .command("crds")
  .description("Print the CustomResourceDefinitions, as YAML.")
  .addHelpText("after", examples("crds | kubectl apply --server-side -f -"))
  .action(async () => {
    const { crds } = await import("./crds.ts");
    process.stdout.write(crds());
  });

addInstallCommand(program, examples);

program
  .command("quota")
  .description(
    "Print a ResourceQuota of GPUs for each namespace, as YAML, from the limits of a MiMoPlatform.",
  )
  .argument("<namespace...>", "namespaces to limit")
  .requiredOption("--platform <file>", 'file with the MiMoPlatform, "-" for standard input')
  .addHelpText("after", examples("quota team-a team-b --platform platform.yaml | kubectl apply -f -"))
  .action(async (namespaces: string[], { platform }: { platform: string }) => {
    const { quota } = await import("./quota.ts");
    printOrRefuse(await quota(platform, namespaces, process.stdin));
  });

program
  .command("monitoring")
  .description(
    "Print PodMonitors, alerts and Grafana dashboards for the operator and what it serves, as YAML.",
  )
  .option("-n, --namespace <name>", "namespace of the operator", "mimo-system")
  .option("--runbooks <url>", "where docs/runbooks is, for the links in alerts", "docs/runbooks")
  .addHelpText(
    "after",
    examples(
      "monitoring | kubectl apply --server-side -f -",
      "monitoring --runbooks https://git.example.com/mimo-operator/docs/runbooks",
    ),
  )
  .action(async (options: { namespace: string; runbooks: string }) => {
    const { monitoring } = await import("./monitoring.ts");
    process.stdout.write(monitoring(options));
  });

program
  .command("demo")
  .description(
    "Start a control plane with fake GPU nodes on this machine, and watch the operator serve three models on it.",
  )
  .option("--once", "end when all are Ready: 0 when they are, 1 when they are not in time")
  .option("--context <name>", "use the cluster of this kubeconfig context instead, after asking")
  .option("--yes", "don't ask")
  .addHelpText("after", examples("demo", "demo --once", "demo --context staging"))
  .action(async ({ once, context, yes }: { once?: true; context?: string; yes?: true }) => {
    const args = [
      once ? "--once" : [],
      context === undefined ? [] : ["--context", context],
      yes ? "--yes" : [],
    ];
    process.exitCode = await runDemo(args.flat());
  });

await program.parseAsync();

function columns(): number {
  return Math.max(leastColumns, process.stdout.columns || usualColumns);
}

function printOrRefuse(result: { readonly yaml: string } | { readonly refusals: readonly string[] }): void {
  if ("yaml" in result) process.stdout.write(result.yaml);
  else {
    for (const refusal of result.refusals) process.stderr.write(`error: ${refusal}\n`);
    process.exitCode = failed;
  }
}

function filesCommand(verb: string, description: string): Command {
  return program
    .command(verb)
    .description(description)
    .requiredOption("-f, --filename <file...>", 'files with MiMoDeployments, "-" for standard input')
    .option("--platform <file>", "file with the MiMoPlatform; otherwise one among the files counts");
}

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${name} ${line}\n`).join("")}`;
}

/** Reads and plans, says on standard error what is wrong and what was passed over, and sets the exit status. */
async function reviewOptions({ filename, platform }: FileOptions, command: Command): Promise<Review> {
  if ([...filename, platform].filter((path) => path === "-").length > 1) {
    command.error('error: standard input can be read once: give "-" once');
  }
  const reviewed = await reviewFiles(filename, platform, process.stdin);
  const stream = process.stderr;
  for (const note of reviewed.notes) stream.write(`${styleText("dim", "note:", { stream })} ${note}\n`);
  for (const finding of reviewed.findings) {
    stream.write(`${styleText("red", "error:", { stream })} ${formatFinding(finding)}\n`);
  }
  if (reviewed.findings.length > 0) process.exitCode = failed;
  return reviewed;
}
