import type { Deployment } from "../deployment/objects.ts";
import { systemClock as clock, sleep } from "../runtime/clock.ts";
import { TransportError } from "../runtime/errors.ts";
import { type Cluster, getDeployment, listDeployments } from "./cluster-access.ts";
import { createScreen } from "./screen.ts";
import { isStuck, statusCard, statusJson, statusLine } from "./status-card.ts";

export const statusFormats = ["table", "json"] as const;
export type StatusFormat = (typeof statusFormats)[number];

/** Between two looks; the operator reports progress every 5 s at most. */
const lookSeconds = 2;

/** One by its name, or all of one namespace or of every one. */
export interface Which {
  readonly name: string | undefined;
  readonly everywhere: boolean;
}

async function look(cluster: Cluster, { name, everywhere }: Which): Promise<Deployment[]> {
  return name === undefined ? listDeployments(cluster, everywhere) : [await getDeployment(cluster, name)];
}

/** @returns the exit status: 1 when a deployment is stuck */
export async function showStatus(
  cluster: Cluster,
  which: Which,
  format: StatusFormat,
  columns: number,
): Promise<0 | 1> {
  const deployments = await look(cluster, which);
  if (format === "json") {
    process.stdout.write(`${JSON.stringify(deployments.map(statusJson), undefined, 2)}\n`);
  } else if (deployments.length === 0) {
    const where = which.everywhere ? "any namespace" : `namespace ${cluster.namespace}: -A shows all`;
    process.stderr.write(`no MiMoDeployment in ${where}\n`);
  } else {
    process.stdout.write(`${cards(deployments, columns).join("\n")}\n`);
  }
  return deployments.some(isStuck) ? 1 : 0;
}

/** Shows it in place on a terminal, and elsewhere a line for each change. Goes on until the process ends. */
export async function watchStatus(cluster: Cluster, which: Which, columns: () => number): Promise<never> {
  const screen = createScreen(process.stdout);
  const said = new Map<string, string>();
  let deployments = await look(cluster, which);
  let footer = "";
  for (;;) {
    if (process.stdout.isTTY) screen.show([...cards(deployments, columns()), "", `${footer}Ctrl-C ends it.`]);
    else for (const line of news(deployments, said, which.everywhere)) process.stdout.write(`${line}\n`);
    await sleep(clock, lookSeconds * 1000);
    try {
      deployments = await look(cluster, which);
      footer = "";
    } catch (error) {
      // It may be restarting. Nobody should take what is old for what is.
      if (!(error instanceof TransportError)) throw error;
      footer = "The API server gives no answer: this is what it said last. ";
    }
  }
}

const cards = (deployments: readonly Deployment[], columns: number): string[] =>
  deployments.flatMap((deployment, index) => [
    ...(index === 0 ? [] : [""]),
    ...statusCard(deployment, columns, new Date()),
  ]);

/** Lines that differ from what was said of the same deployment before. */
function news(deployments: readonly Deployment[], said: Map<string, string>, everywhere: boolean): string[] {
  const label = ({ metadata: { name, namespace } }: Deployment) =>
    everywhere ? `${namespace}/${name}` : name;
  const now = new Map(deployments.map((each) => [label(each), `${label(each)}: ${statusLine(each)}`]));
  const gone = [...said.keys()].filter((name) => !now.has(name));
  const changed = [...now].filter(([name, line]) => said.get(name) !== line);
  said.clear();
  for (const [name, line] of now) said.set(name, line);
  return [...gone.map((name) => `${name}: is gone`), ...changed.map(([, line]) => line)];
}
