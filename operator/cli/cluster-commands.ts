import { styleText } from "node:util";
import { type Command, InvalidArgumentError, Option } from "commander";
import { hardwareKinds, variants } from "../../crds/names.ts";
import type { Cluster, ClusterOptions } from "./cluster-access.ts";
import type { DiffOptions } from "./diff.ts";
import type { Wish } from "./doctor/diagnose.ts";
import type { DoctorFormat } from "./doctor/doctor.ts";
import type { LogsOptions } from "./logs.ts";
import type { StatusFormat } from "./status.ts";

const formats: readonly StatusFormat[] = ["table", "json"];

export interface ClusterCommandsOptions {
  /** Width to wrap at. */
  readonly columns: () => number;
  readonly examples: (...lines: readonly string[]) => string;
}

/** Adds the commands that talk to a cluster. What they need is loaded when they run. */
export function addClusterCommands(program: Command, { columns, examples }: ClusterCommandsOptions): void {
  command(
    "status",
    "[name]",
    "Show where deployments stand: groups, percentage loaded, nodes, last failures.",
  )
    .addOption(
      new Option("-o, --output <format>", "for people or for programs").choices(formats).default("table"),
    )
    .option("-A, --all-namespaces", "of every namespace")
    .option("-w, --watch", "go on: in place on a terminal, elsewhere a line for each change")
    .addHelpText("after", "\nExit status: 1 also when one is stuck (condition Stalled).")
    .addHelpText(
      "after",
      examples("status", "status -A", "status pro -n team-a", "status pro --watch", "status pro -o json"),
    )
    .action(
      async (
        name: string | undefined,
        {
          output,
          watch,
          allNamespaces: everywhere = false,
          ...options
        }: ClusterOptions & { output: StatusFormat; watch?: true; allNamespaces?: boolean },
        self: Command,
      ) => {
        if (everywhere && name !== undefined)
          self.error("error: --all-namespaces shows all: leave the name out");
        if (watch && output === "json") self.error("error: --watch shows a table: leave -o json out");
        await onCluster(options, async (cluster) => {
          const { showStatus, watchStatus } = await import("./status.ts");
          const which = { name, everywhere };
          if (watch) await watchStatus(cluster, which, columns);
          else process.exitCode = await showStatus(cluster, which, output, columns());
        });
      },
    );

  command("history", "<name>", "Show the revisions of a deployment and what each changed.")
    .addHelpText("after", examples("history pro", "history pro -n team-a --context staging"))
    .action(async (name: string, options: ClusterOptions) => {
      const { history } = await import("./history.ts");
      await print(options, (cluster) => history(cluster, name));
    });

  command("diff", "<name>", "Say what differs between revisions, and what would be planned otherwise today.")
    .option("--revision <number>", "from this revision (default: the one before)", wholeNumber)
    .option("--to <number>", "to this revision (default: the one that groups are to run)", wholeNumber)
    .addHelpText("after", examples("diff pro", "diff pro --revision 3", "diff pro --revision 3 --to 5"))
    .action(async (name: string, options: ClusterOptions & DiffOptions) => {
      const { diff } = await import("./diff.ts");
      await print(options, (cluster) => diff(cluster, name, options));
    });

  command("rollback", "<name>", "Go back to an earlier revision; spec stays as it is.")
    .option(
      "--to-revision <number>",
      "a revision of `history` (default: the newest other one that served)",
      wholeNumber,
    )
    .addHelpText("after", examples("rollback pro", "rollback pro --to-revision 3"))
    .action(async (name: string, options: ClusterOptions & { toRevision?: number }) => {
      const { rollback } = await import("./rollback.ts");
      await print(options, (cluster) => rollback(cluster, name, options.toRevision));
    });

  command("events", "<name>", "Show the Events of a deployment, its groups and their pods.")
    .addHelpText("after", examples("events pro"))
    .action(async (name: string, options: ClusterOptions) => {
      const { listEvents } = await import("./events.ts");
      await print(options, (cluster) => listEvents(cluster, name));
    });

  command("logs", "<name>", "Print the log of a rank: rank 0 of the first group, unless told otherwise.")
    .option("--group <id>", "id of the group, as `status` shows it", wholeNumber)
    .option("--rank <number>", "rank within the group (default: 0)", wholeNumber)
    .option("-f, --follow", "go on until the container ends")
    .option("--tail <lines>", "so many of the last lines (default: all)", wholeNumber)
    .option("-p, --previous", "of the container before the last restart")
    .addHelpText(
      "after",
      examples("logs pro -f --tail 100", "logs pro --group 2 --rank 1", "logs pro --previous"),
    )
    .action(async (name: string, options: ClusterOptions & LogsOptions) => {
      const { copyLog } = await import("./logs.ts");
      await onCluster(options, (cluster) => copyLog(cluster, name, options));
    });

  command(
    "doctor",
    "",
    "Look at a cluster, and say which variants it can serve on which hardware, and what is missing.",
  )
    .addOption(new Option("--variant <name>", "of this variant alone, in detail").choices(variants))
    .addOption(new Option("--hardware <kind>", "on this hardware alone, in detail").choices(hardwareKinds))
    .addOption(
      new Option("-o, --output <format>", "for people or for programs").choices(formats).default("table"),
    )
    .addHelpText(
      "after",
      "\nExit status: 1 also when nothing that --variant and --hardware ask for can be served.",
    )
    .addHelpText(
      "after",
      examples("doctor", "doctor --variant MiMo-V2.5-Pro --hardware GB300", "doctor -o json"),
    )
    .action(
      async ({ variant, hardware, output, ...options }: ClusterOptions & Wish & { output: DoctorFormat }) => {
        const wish = {
          ...(variant !== undefined && { variant }),
          ...(hardware !== undefined && { hardware }),
        };
        await onCluster(options, async (cluster) => {
          const { doctor } = await import("./doctor/doctor.ts");
          process.exitCode = await doctor(cluster, wish, output, columns());
        });
      },
    );

  function command(verb: string, argument: string, description: string): Command {
    return program
      .command(`${verb} ${argument}`.trimEnd())
      .description(description)
      .option("-n, --namespace <name>", "namespace (default: the context's)")
      .option("--context <name>", "context of the kubeconfig")
      .option("--kubeconfig <file>", "kubeconfig to use instead of KUBECONFIG and ~/.kube/config");
  }
}

/** Says in words why the cluster can't be asked, or refuses; the exit status is then 1. */
async function onCluster(
  options: ClusterOptions,
  command: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const { CommandError, withCluster } = await import("./cluster-access.ts");
  try {
    await withCluster(options, command);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const stream = process.stderr;
    stream.write(`${styleText("red", "error:", { stream })} ${error.message}\n`);
    process.exitCode = 1;
  }
}

const print = (options: ClusterOptions, command: (cluster: Cluster) => Promise<string>): Promise<void> =>
  onCluster(options, async (cluster) => void process.stdout.write(await command(cluster)));

function wholeNumber(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError("write a whole number from 0 on.");
  return Number(value);
}
