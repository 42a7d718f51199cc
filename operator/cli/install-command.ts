import type { Command } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { readInstallValues, valueOptions, valuesOfOptions } from "./install-options.ts";

/** Adds `install`. Its options are made from the values of the chart. */
export function addInstallCommand(program: Command, examples: (...lines: readonly string[]) => string): void {
  const options = valueOptions();
  const command = program
    .command("install")
    .description("Print everything that a cluster needs to run the operator, as YAML.")
    .option("-n, --namespace <name>", "namespace of the operator", "mimo-system")
    .option("--values <file...>", 'files with values, as for the Helm chart; "-" is standard input', []);
  for (const { option } of options) command.addOption(option);
  command
    .addHelpText(
      "after",
      `\nValues without an option of their own, such as resources, stand in a file. An option wins over a file.${examples(
        `install --image-repository registry.example.com/mimo-operator | kubectl apply --server-side -f -`,
        `install --image-tag ${packageJson.version} --values values.yaml`,
        "install --part cluster --node-readers mimo-team-a",
        "install --part namespace -n mimo-team-a --namespaces team-a",
      )}`,
    )
    .action(async ({ namespace, values: files }: { namespace: string; values: string[] }) => {
      const read = await readInstallValues(files, valuesOfOptions(command, options), process.stdin);
      if ("refusals" in read) {
        for (const refusal of read.refusals) process.stderr.write(`error: ${refusal}\n`);
        process.exitCode = 1;
        return;
      }
      const { install } = await import("./install.ts");
      process.stdout.write(install(read.values, namespace));
    });
}
