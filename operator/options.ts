import { Command, InvalidArgumentError, Option } from "commander";

export interface OperatorOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly leaseNamespace: string;
  readonly identity: string;
  /** Where the operator works; undefined for everywhere. */
  readonly namespaces: readonly string[] | undefined;
  readonly workers: number;
  readonly resyncSeconds: number;
  readonly logLevel: string;
}

const logLevels = ["trace", "debug", "info", "warn", "error"];

const examples = `
Examples:
  KUBECONFIG=~/.kube/config mimo-operator --lease-namespace mimo-system
  mimo-operator --listen 0.0.0.0:8080 --workers 8        (in a pod: the service account is used)
`;

/** Flags, each with an environment variable. Exits with 2 and a message when one can't be used. */
export function parseOptions(argv: readonly string[], uniqueSuffix: string): OperatorOptions {
  const command = new Command("mimo-operator")
    .description("Runs the controller of MiMoDeployments. Uses KUBECONFIG, else the pod's service account.")
    .addOption(
      new Option("--listen <host:port>", "where /healthz, /readyz and /metrics are served")
        .env("MIMO_LISTEN")
        .default({ host: "127.0.0.1", port: 8080 }, "127.0.0.1:8080")
        .argParser(hostAndPort),
    )
    .addOption(
      new Option("--lease-namespace <name>", "namespace of the Lease by which one of several operators leads")
        .env("POD_NAMESPACE")
        .default("mimo-system"),
    )
    .addOption(
      new Option("--identity <name>", "name in Lease and Events").env("POD_NAME").default("mimo-operator"),
    )
    .addOption(
      new Option("--namespaces <names>", "only work in these namespaces, separated by commas")
        .env("MIMO_NAMESPACES")
        .argParser(namespaceList),
    )
    .addOption(
      new Option("--workers <count>", "deployments worked on at the same time")
        .env("MIMO_WORKERS")
        .default(8)
        .argParser(positive),
    )
    .addOption(
      new Option(
        "--resync-seconds <seconds>",
        "how often every deployment is looked at though nothing happened",
      )
        .env("MIMO_RESYNC_SECONDS")
        .default(36_000)
        .argParser(positive),
    )
    .addOption(
      new Option("--log-level <level>", "least level that is logged")
        .env("MIMO_LOG_LEVEL")
        .choices(logLevels)
        .default("info"),
    )
    .addHelpText("after", examples)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  command.parse([...argv], { from: "user" });
  const flags = command.opts<Omit<OperatorOptions, "identity"> & { identity: string }>();
  return { ...flags, namespaces: flags.namespaces, identity: `${flags.identity}_${uniqueSuffix}` };
}

function hostAndPort(value: string): { host: string; port: number } {
  const parts = /^(.+):(\d{1,5})$/.exec(value);
  const port = Number(parts?.[2]);
  if (parts?.[1] === undefined || port > 65_535)
    throw new InvalidArgumentError('write host:port, for example "0.0.0.0:8080".');
  return { host: parts[1].replace(/^\[(.*)\]$/, "$1"), port };
}

function namespaceList(value: string): readonly string[] {
  const names = value.split(",");
  const isName = (name: string) => name.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name);
  if (!names.every(isName))
    throw new InvalidArgumentError(
      'write names of namespaces with commas between, for example "team-a,team-b".',
    );
  return [...new Set(names)];
}

function positive(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError("write a whole number from 1 on.");
  return number;
}
