/** `node test/demo/demo.ts [--once] [--context NAME [--yes]]`: the operator at work, from nothing to Ready. */
import { rmSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createScreen } from "../../operator/cli/screen.ts";
import { type Cluster, startCluster, useCluster } from "./cluster.ts";
import {
  applyExamples,
  applyPlatform,
  chooseExamples,
  install,
  namespace,
  refuseInstalled,
  startOperator,
  uninstall,
} from "./setup.ts";
import { isReady, parseView, unreadyReasons, type View, viewLines } from "./view.ts";

const pollSeconds = 1;
/** Pods on fake nodes load for some seconds; real ones read up to a terabyte. */
const readyTimeoutSeconds = { fake: 120, real: 7200 };
/** As shells report a program that Ctrl-C ended. */
const interruptedStatus = 130;

const { values: options } = parseArgs({
  options: { once: { type: "boolean" }, context: { type: "string" }, yes: { type: "boolean" } },
});
const startedAt = performance.now();
const elapsedSeconds = (): number => (performance.now() - startedAt) / 1000;
const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => interrupt.abort());

try {
  if (options.context === undefined) await onOwnCluster();
  else await onExistingCluster(options.context);
} catch (error) {
  if (interrupt.signal.aborted) process.exitCode = interruptedStatus;
  else {
    process.stderr.write(`demo: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
}

async function onOwnCluster(): Promise<void> {
  let directory: string | undefined;
  // Until it has booted it can't be stopped, but it ends with this process.
  const leave = (): void => {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    process.exit(interruptedStatus);
  };
  interrupt.signal.addEventListener("abort", leave);
  const cluster = await startCluster(say, (path) => {
    directory = path;
  });
  interrupt.signal.removeEventListener("abort", leave);
  try {
    await perform("installing CRDs, roles and ServiceAccount", () => install(cluster));
    await perform("applying examples/platform.yaml", () => applyPlatform(cluster));
    await present(cluster, await chooseExamples(cluster, say), readyTimeoutSeconds.fake);
  } finally {
    say("cleaning up");
    await cluster.stop();
  }
}

async function onExistingCluster(context: string): Promise<void> {
  const cluster = await useCluster(context, say);
  try {
    await refuseInstalled(cluster);
    const examples = await chooseExamples(cluster, say);
    if (!(options.yes ?? (await agreed(context, examples.length)))) throw new Error("nothing was done");
    try {
      await perform("installing CRDs, roles and ServiceAccount", () => install(cluster));
      await present(cluster, examples, readyTimeoutSeconds.real);
    } finally {
      say("cleaning up: removing the deployments, then everything that was installed");
      await uninstall(cluster);
    }
  } finally {
    await cluster.stop();
  }
}

async function agreed(context: string, exampleCount: number): Promise<boolean> {
  if (!process.stdin.isTTY) throw new Error("there is no terminal to ask on: add --yes to agree");
  const terminal = createInterface(process.stdin, process.stdout);
  terminal.once("SIGINT", () => interrupt.abort());
  process.stdout.write(`In the cluster of context ${context} the demonstration will
  - install the CRDs, roles and ServiceAccount of mimo-operator; the operator itself runs on this machine,
  - make namespace ${namespace} with ${exampleCount} MiMoDeployments: on real GPU nodes they download checkpoints of hundreds of GiB,
  - remove all of it at its end.
`);
  try {
    const answer = await terminal.question("Go on? [y/N] ", { signal: interrupt.signal });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

async function present(cluster: Cluster, examples: readonly string[], timeoutSeconds: number): Promise<void> {
  await perform("starting the operator with its ServiceAccount's rights", () => startOperator(cluster));
  await perform("applying the examples", () => applyExamples(cluster, examples));
  if (!options.once) for (const line of invitation(cluster)) process.stdout.write(`${line}\n`);
  try {
    await follow(cluster, examples.length, elapsedSeconds() + timeoutSeconds);
  } catch (error) {
    // Without --once, Ctrl-C is how it ends.
    if (!interrupt.signal.aborted || options.once) throw error;
  }
}

function invitation({ shellSetup }: Cluster): string[] {
  return [
    "",
    "Try in another terminal:",
    ...shellSetup.map((line) => `  ${line}`),
    `  kubectl -n ${namespace} get mimo -o wide`,
    `  kubectl -n ${namespace} get pods -o wide`,
    `  kubectl -n ${namespace} describe mimo pro`,
    `  kubectl -n ${namespace} scale mimo flash --replicas=2`,
    "",
  ];
}

/** Shows the deployments until Ctrl-C or, with --once, until all are Ready. @throws Error when they aren't in time. */
async function follow(cluster: Cluster, exampleCount: number, deadlineSeconds: number): Promise<void> {
  const screen = createScreen(process.stdout);
  let readyAfter: string | undefined;
  for (;;) {
    const ended = cluster.components.failure();
    if (ended !== undefined) {
      throw new Error(`${ended.name} ended by itself:\n${await cluster.components.logTail(ended.name)}`);
    }
    const view = await look(cluster);
    if (view.deployments.length === exampleCount && view.deployments.every(isReady)) {
      readyAfter ??= `All Ready after ${elapsedSeconds().toFixed(1)} s.`;
    }
    const footer = [readyAfter ?? [], options.once ? [] : "Ctrl-C ends it and cleans up."].flat().join(" ");
    screen.show([
      ...viewLines(view, process.stdout.isTTY ? new Date() : undefined),
      ...(footer === "" ? [] : ["", footer]),
    ]);
    if (options.once && readyAfter !== undefined) return;
    if (options.once && elapsedSeconds() > deadlineSeconds) {
      const reasons = unreadyReasons(view).map((reason) => `  ${reason}\n`);
      const log = await cluster.components.logTail("operator");
      throw new Error(`not all Ready in time:\n${reasons.join("")}The operator's last words:\n${log}`);
    }
    await delay(pollSeconds * 1000, undefined, { signal: interrupt.signal });
  }
}

async function look({ kubectl }: Cluster): Promise<View> {
  return parseView(await kubectl(["get", "mimodeployments,pods", "-n", namespace, "-o", "json"]));
}

async function perform(what: string, step: () => Promise<void>): Promise<void> {
  interrupt.signal.throwIfAborted();
  say(what);
  await step();
}

function say(line: string): void {
  process.stdout.write(`${elapsedSeconds().toFixed(1).padStart(6)} s  ${line}\n`);
}
