/** How groups come back from the loss of a rank: this operator and LeaderWorkerSet on one control plane, in one run. */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { z } from "zod";
import { callApi } from "../controlplane/api.ts";
import { readAudit } from "../controlplane/audit.ts";
import { bootControlPlane, type ControlPlane } from "../controlplane/boot.ts";
import { podFaults } from "../controlplane/faults.ts";
import { STAGES, startKwok } from "../controlplane/kwok.ts";
import { createGpuNodes, gpuNode } from "../controlplane/nodes.ts";
import { installOperator } from "../e2e/operator.ts";
import { watchGroupPods } from "./group-pods.ts";
import type { GroupSystem } from "./group-system.ts";
import { ensureLws, type LwsBuild } from "./lws/build.ts";
import { installLeaderWorkerSet, startLeaderWorkerSet } from "./lws/leader-worker-set.ts";
import { measureFault, type Round } from "./measure.ts";
import { requestHardware, startMimoOperator } from "./mimo-operator.ts";
import { publish } from "./publish.ts";
import { cellOf, type RecoveryBenchmark, section, text } from "./report.ts";
import { requestsByGroup } from "./requests.ts";
import { wholeNumber } from "./whole-number.ts";

const usage = `usage: npm run -s bench:recovery -- [options]
Measures how groups come back from the loss of a rank, beside LeaderWorkerSet. Progress goes to stderr.
  --json          print everything as JSON instead of a table
  --markdown      print the section of docs/performance.md
  --trials COUNT  groups of each controller for each fault and size (default 60; about half an hour)
  --sizes LIST    ranks of a group (default 2,8)
  --dir DIR       keep logs, audit log, recovery.json and recovery.md there
  --help          this text`;

/** A group that isn't whole by then counts as not made whole. */
const limitSeconds = 30;

/** Room for all groups on as few nodes as a group has ranks, since each node costs heartbeats. */
const nodesFor = (size: number) =>
  Array.from({ length: size }, (_, index) =>
    gpuNode({ kind: requestHardware, name: `gpu-${index}`, gpus: 4096 }),
  );

const version = z.object({ gitVersion: z.string() });

const onProgress = (line: string): void => console.error(line);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      markdown: { type: "boolean", default: false },
      trials: { type: "string", default: "60" },
      sizes: { type: "string", default: "2,8" },
      dir: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const trials = wholeNumber("--trials", values.trials, usage);
  const sizes = values.sizes.split(",").map((size) => wholeNumber("--sizes", size, usage));
  const lws = await ensureLws(onProgress);
  const directory = values.dir ?? (await mkdtemp(join(tmpdir(), "mimo-bench-")));
  const controlPlane = await bootControlPlane({
    directory,
    onProgress,
    prepare: async (administrator) => {
      await installOperator(administrator);
      await installLeaderWorkerSet(administrator, lws);
    },
  });
  try {
    const result = await run(controlPlane, lws, { trials, sizes });
    await publish(result, { text, section }, values);
  } finally {
    await controlPlane.stop();
    if (values.dir === undefined) await rm(directory, { recursive: true, force: true });
  }
}

async function run(
  controlPlane: ControlPlane,
  lws: LwsBuild,
  { trials, sizes }: { readonly trials: number; readonly sizes: readonly number[] },
): Promise<RecoveryBenchmark> {
  const [loadBefore = 0] = loadavg();
  startKwok(controlPlane, { stages: STAGES.fast });
  await createGpuNodes(controlPlane, nodesFor(Math.max(...sizes)));
  const systems: GroupSystem[] = [];
  const rounds: Round[] = [];
  try {
    systems.push(await startMimoOperator(controlPlane));
    systems.push(await startLeaderWorkerSet(controlPlane, lws));
    const log = pino({ level: "warn" }, pino.destination(2));
    const groupLabels = systems.map((system) => system.labels.group);
    const pods = await watchGroupPods(controlPlane, groupLabels, log);
    try {
      const bench = { controlPlane, pods, systems, trials, limitSeconds, onProgress };
      for (const size of sizes)
        for (const fault of podFaults) rounds.push(...(await measureFault(bench, size, fault)));
      if (pods.lists() > 1)
        throw new Error("the watch on pods was interrupted, so the figures have gaps: run it again");
    } finally {
      await pods.stop();
    }
  } finally {
    for (const system of systems) await system.stop();
  }
  const [loadAfter = 0] = loadavg();
  const { gitVersion } = version.parse(await callApi(controlPlane, "/version"));
  onProgress("reading the audit log");
  const users = new Set(systems.map(({ user }) => user));
  const namespaces = new Set(rounds.map(({ window }) => window.namespace));
  const audit = await readAudit(
    controlPlane.auditLog,
    ({ user, namespace }) => users.has(user) && namespaces.has(namespace),
  );
  return {
    benchmark: "recovery",
    date: new Date().toISOString(),
    kubernetes: `Kubernetes ${gitVersion}`,
    cpus: availableParallelism(),
    loadAverage: [loadBefore, loadAfter],
    limitSeconds,
    cells: rounds.map(({ system, size, fault, window, trials }) => {
      const requests = requestsByGroup(audit, window);
      const counted = trials.map((trial) => ({ ...trial, requests: requests.get(trial.group) ?? {} }));
      return cellOf({ fault, size, controller: system.name }, counted);
    }),
  };
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
