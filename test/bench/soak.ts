/** Does the operator leak? Half an hour of random changes and faults, with its memory and sockets written down. */
import { mkdtemp, readdir, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { z } from "zod";
import { labels } from "../../charts/names.ts";
import { resources } from "../../charts/resources.ts";
import { alignColumns } from "../../operator/cli/table.ts";
import { collectionPath } from "../../operator/runtime/paths.ts";
import { callApi } from "../controlplane/api.ts";
import { bootControlPlane, type ControlPlane } from "../controlplane/boot.ts";
import { STAGES, startKwok } from "../controlplane/kwok.ts";
import { createGpuNodes, gpuNode } from "../controlplane/nodes.ts";
import { deploymentsPath } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { metricTotal } from "../e2e/metrics.ts";
import { installOperator } from "../e2e/operator.ts";
import { createChurn, seededRandom } from "./churn.ts";
import { watchGroupPods } from "./group-pods.ts";
import { type MimoOperator, requestHardware, startMimoOperator } from "./mimo-operator.ts";
import { cpuMilliseconds, residentMib } from "./process-usage.ts";
import { wholeNumber } from "./whole-number.ts";

const usage = `usage: npm run -s bench:soak -- [options]
Lets the operator live through random changes and faults and watches its memory and sockets. Progress goes to stderr.
Exits with 1 when they grow, or when something is left in the end. Linux only: it reads /proc.
  --minutes COUNT (default 30)
  --seed NUMBER   repeats a run (default: another one each time)
  --json          print everything as JSON
  --dir DIR       keep logs, audit log and soak.json there
  --help          this text`;

const namespace = "soak";
const sampleSeconds = 10;
const resyncSeconds = 20;
/** Of the last third against the middle one. */
const allowedGrowth = 1.1;
/** A watch may be opened again before its old socket is gone. */
const allowedSockets = 3;

interface Sample {
  readonly seconds: number;
  readonly residentMib: number;
  readonly heapMib: number;
  readonly sockets: number;
  readonly cpuMilliseconds: number;
  /** Starts of the operator before this one. */
  readonly restarts: number;
  readonly deployments: number;
  readonly pods: number;
}

interface Soak {
  readonly benchmark: "soak";
  readonly seed: number;
  readonly minutes: number;
  readonly steps: number;
  readonly reconcileErrors: number;
  readonly samples: readonly Sample[];
  /** What is wrong; nothing when memory and sockets are flat and nothing is left. */
  readonly problems: readonly string[];
}

const onProgress = (line: string): void => console.error(line);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "30" },
      seed: { type: "string" },
      json: { type: "boolean", default: false },
      dir: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const minutes = wholeNumber("--minutes", values.minutes, usage);
  const seed =
    values.seed === undefined ? Math.ceil(Math.random() * 1e5) : wholeNumber("--seed", values.seed, usage);
  const directory = values.dir ?? (await mkdtemp(join(tmpdir(), "mimo-soak-")));
  const controlPlane = await bootControlPlane({ directory, onProgress, prepare: installOperator });
  try {
    const result = await soak(controlPlane, minutes, seed);
    const json = JSON.stringify(result, undefined, 2);
    if (values.dir !== undefined) await writeFile(join(directory, "soak.json"), json);
    console.log(values.json ? json : text(result));
    if (result.problems.length > 0) process.exitCode = 1;
  } finally {
    await controlPlane.stop();
    if (values.dir === undefined) await rm(directory, { recursive: true, force: true });
  }
}

async function soak(controlPlane: ControlPlane, minutes: number, seed: number): Promise<Soak> {
  onProgress(`seed ${seed}`);
  startKwok(controlPlane, { stages: STAGES.fast });
  const nodes = Array.from({ length: 4 }, (_, index) =>
    gpuNode({ kind: requestHardware, name: `gpu-${index}`, gpus: 2048 }),
  );
  await createGpuNodes(controlPlane, nodes);
  await callApi(controlPlane, "/api/v1/namespaces", {
    method: "POST",
    body: { metadata: { name: namespace } },
  });
  const operator = await startMimoOperator(controlPlane);
  await operator.stop();
  await operator.start(resyncSeconds);
  const pods = await watchGroupPods(
    controlPlane,
    [labels.deployment],
    pino({ level: "error" }, pino.destination(2)),
  );
  const churn = createChurn(controlPlane, namespace, pods, seededRandom(seed));
  const startedAt = performance.now();
  const secondsPassed = (): number => (performance.now() - startedAt) / 1000;
  const samples: Sample[] = [];
  let steps = 0;
  let restarts = 0;
  while (secondsPassed() < minutes * 60) {
    const did = await churn.step();
    steps += 1;
    await delay(200);
    if (!operator.isRunning()) {
      // As a kubelet would: it ends itself when it could not renew its lease.
      onProgress(`${Math.round(secondsPassed())} s: the operator ended and is started again; ${did}`);
      await operator.start(resyncSeconds);
      restarts += 1;
    }
    if (secondsPassed() < (samples.length + 1) * sampleSeconds) continue;
    const running = churn.names().reduce((sum, name) => sum + pods.of({ namespace, name }).length, 0);
    const sample = { ...(await look(operator)), restarts, deployments: churn.names().length, pods: running };
    samples.push({ seconds: Math.round(secondsPassed()), ...sample });
    if (samples.length % 6 === 0)
      onProgress(
        `${Math.round(secondsPassed())} s: ${sample.residentMib.toFixed(0)} MiB, ${sample.sockets} sockets; ${did}`,
      );
  }
  const reconcileErrors = metricTotal(await operator.metrics(), "controller_runtime_reconcile_errors_total");
  const left = await leftovers(controlPlane, churn.names());
  await pods.stop();
  await operator.stop();
  const problems = [...growth(samples), ...left];
  return { benchmark: "soak", seed, minutes, steps, reconcileErrors, samples, problems };
}

async function look(
  operator: MimoOperator,
): Promise<Omit<Sample, "seconds" | "restarts" | "deployments" | "pods">> {
  const { pid } = operator;
  const heap = metricTotal(await operator.metrics(), "nodejs_heap_size_used_bytes");
  return {
    residentMib: (await residentMib(pid)).now,
    heapMib: heap / 2 ** 20,
    sockets: await socketsOf(pid),
    cpuMilliseconds: await cpuMilliseconds(pid),
  };
}

async function socketsOf(pid: number): Promise<number> {
  const links = await Promise.allSettled(
    (await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`)),
  );
  return links.filter((link) => link.status === "fulfilled" && link.value.startsWith("socket:")).length;
}

/** Of the process that ran last. */
const ofLastProcess = (samples: readonly Sample[]): Sample[] =>
  samples.filter(({ restarts }) => restarts === samples.at(-1)?.restarts);

/** Compares the last third with the middle one; the first is warming up. */
function growth(all: readonly Sample[]): string[] {
  const samples = ofLastProcess(all);
  const third = Math.floor(samples.length / 3);
  const [before, after] = [samples.slice(third, 2 * third), samples.slice(2 * third)];
  const mean = (of: readonly Sample[]): number =>
    of.reduce((sum, { residentMib }) => sum + residentMib, 0) / of.length;
  const most = (of: readonly Sample[]): number => Math.max(...of.map(({ sockets }) => sockets));
  return [
    ...(mean(after) > mean(before) * allowedGrowth
      ? [`memory grew from ${mean(before).toFixed(0)} to ${mean(after).toFixed(0)} MiB`]
      : []),
    ...(most(after) > most(before) + allowedSockets
      ? [`sockets grew from ${most(before)} to ${most(after)}`]
      : []),
  ];
}

const list = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });
const kinds = [
  resources.mimoDeployments,
  resources.statefulSets,
  resources.pods,
  resources.services,
  resources.podDisruptionBudgets,
  resources.networkPolicies,
  resources.controllerRevisions,
];

/** Deletes all deployments; what is there after two minutes is left for good. */
async function leftovers(controlPlane: ControlPlane, names: readonly string[]): Promise<string[]> {
  for (const name of names)
    await callApi(controlPlane, deploymentsPath(namespace, name), { method: "DELETE" });
  const look = async (): Promise<string[]> => {
    const found = await Promise.all(
      kinds.map(async (resource) => {
        const { items } = list.parse(await callApi(controlPlane, collectionPath(resource, namespace)));
        return items.map(({ metadata }) => `${resource.plural}/${metadata.name} is left`);
      }),
    );
    return found.flat();
  };
  try {
    await eventually("all is gone", async () => ((await look()).length === 0 ? true : undefined), 120);
    return [];
  } catch {
    return await look();
  }
}

/** For a terminal: twelve samples over the run, the slope, and the verdict. */
function text(result: Soak): string {
  const { samples, problems, steps, minutes, seed, reconcileErrors } = result;
  const every = Math.max(1, Math.floor(samples.length / 12));
  const shown = samples.filter((_, index) => index % every === 0 || index === samples.length - 1);
  const rows = shown.map((sample) => [
    `${sample.seconds} s`,
    `${sample.residentMib.toFixed(0)} MiB`,
    `${sample.heapMib.toFixed(0)} MiB`,
    String(sample.sockets),
    `${(sample.cpuMilliseconds / 1000).toFixed(1)} s`,
    String(sample.deployments),
    String(sample.pods),
  ]);
  const table = alignColumns([["Time", "RSS", "Heap", "Sockets", "CPU", "Deployments", "Pods"], ...rows]);
  const last = ofLastProcess(samples);
  const slope = slopeMibPerHour(last.slice(Math.floor(last.length / 3)));
  const restarts = samples.at(-1)?.restarts ?? 0;
  const verdict = problems.length === 0 ? ["Memory and sockets are flat, and nothing is left."] : problems;
  const summary = `${steps} changes and faults in ${minutes} minutes (seed ${seed}), ${reconcileErrors} reconciles failed, ${restarts} times it ended itself. RSS slope after the first third: ${slope.toFixed(1)} MiB an hour.`;
  return [...table, "", summary, ...verdict].join("\n");
}

/** By least squares. */
function slopeMibPerHour(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number): number =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const [time, memory] = [mean(({ seconds }) => seconds), mean(({ residentMib }) => residentMib)];
  const covariance = mean((sample) => (sample.seconds - time) * (sample.residentMib - memory));
  const variance = mean(({ seconds }) => (seconds - time) ** 2);
  return (covariance / variance) * 3600;
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
