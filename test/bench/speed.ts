/** How fast groups are made and what they cost: this operator, LeaderWorkerSet, and the bare writes, in one run. */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { apiVersionOf } from "../../charts/kubernetes.ts";
import { resources } from "../../charts/resources.ts";
import { platformName } from "../../crds/names.ts";
import { collectionPath } from "../../operator/runtime/paths.ts";
import { callApi } from "../controlplane/api.ts";
import { readAudit } from "../controlplane/audit.ts";
import { bootControlPlane, type ControlPlane } from "../controlplane/boot.ts";
import { installOperator } from "../e2e/operator.ts";
import { measureCreation } from "./creation.ts";
import { measureFloor, recordWrites } from "./floor.ts";
import type { GroupSystem } from "./group-system.ts";
import { ensureLws, type LwsBuild } from "./lws/build.ts";
import { installLeaderWorkerSet, startLeaderWorkerSet } from "./lws/leader-worker-set.ts";
import { startMimoOperator } from "./mimo-operator.ts";
import { groupsOf } from "./namespaces.ts";
import { publish } from "./publish.ts";
import { requestsWithin } from "./requests.ts";
import {
  type Measured,
  measuredOf,
  type SpeedBenchmark,
  type SpeedRun,
  section,
  text,
} from "./speed-report.ts";
import { type Idle, measureIdle, measureRestart, measureUserChanges, type Restart } from "./upkeep.ts";
import { wholeNumber } from "./whole-number.ts";

const skippable = ["lws", "floor", "upkeep"] as const;
type Skippable = (typeof skippable)[number];

const usage = `usage: npm run -s bench -- [options]
Measures how fast groups of two are made and what they cost, beside LeaderWorkerSet and beside the same writes sent by a
bare loop. Progress goes to stderr. Linux only: it reads /proc.
  --json          print everything as JSON instead of a table
  --markdown      print the section of docs/performance.md
  --n LIST        groups (default 100,500,1000,5000; some hours on two cores)
  --skip LIST     of ${skippable.join(", ")}: LeaderWorkerSet, the bare loop, idling and restarts
  --changes COUNT changes by a user while everything is looked at again (default 200)
  --dir DIR       keep logs, audit logs, speed.json and speed.md there
  --help          this text`;

const idleSeconds = 30;
const version = z.object({ gitVersion: z.string() });
const onProgress = (line: string): void => console.error(line);

interface Options {
  readonly directory: string;
  readonly counts: readonly number[];
  readonly skip: ReadonlySet<Skippable>;
  readonly changes: number;
  readonly lws: LwsBuild | undefined;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      markdown: { type: "boolean", default: false },
      n: { type: "string", default: "100,500,1000,5000" },
      skip: { type: "string", default: "" },
      changes: { type: "string", default: "200" },
      dir: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const number = (option: string, given: string): number => wholeNumber(option, given, usage);
  const counts = values.n.split(",").map((count) => number("--n", count));
  const skip = new Set(values.skip.split(",").filter(Boolean).map(skipped));
  const lws = skip.has("lws") ? undefined : await ensureLws(onProgress);
  const directory = values.dir ?? (await mkdtemp(join(tmpdir(), "mimo-bench-")));
  try {
    const result = await run({ directory, counts, skip, changes: number("--changes", values.changes), lws });
    await publish(result, { text, section }, values);
  } finally {
    if (values.dir === undefined) await rm(directory, { recursive: true, force: true });
  }
}

function skipped(word: string): Skippable {
  const known = skippable.find((each) => each === word);
  if (known === undefined) throw new Error(`--skip ${word}: write some of ${skippable.join(", ")}\n${usage}`);
  return known;
}

async function run(options: Options): Promise<SpeedBenchmark> {
  const [loadBefore = 0] = loadavg();
  const runs: SpeedRun[] = [];
  let kubernetes = "";
  for (const count of options.counts) {
    const { controllers, recording, gitVersion } = await measureControllers(options, count);
    kubernetes = gitVersion;
    const floor = options.skip.has("floor")
      ? undefined
      : await onControlPlane(options, `floor-${count}`, async (controlPlane) => {
          onProgress(`${count} groups: the same writes by a bare loop`);
          await createPlatform(controlPlane);
          const groups = groupsOf("floor", count);
          return await measureFloor(controlPlane, recording.system, recording, groups, onProgress);
        });
    runs.push({ groups: count, controllers, ...(floor === undefined ? {} : { floor }) });
  }
  const [loadAfter = 0] = loadavg();
  return {
    benchmark: "speed",
    date: new Date().toISOString(),
    kubernetes: `Kubernetes ${kubernetes}`,
    cpus: availableParallelism(),
    loadAverage: [loadBefore, loadAfter],
    runs,
  };
}

/** One after the other, each on a control plane that is as new: one that has made and removed thousands of objects is slower. */
async function measureControllers(options: Options, count: number) {
  const { lws, skip, changes } = options;
  const controllers: Measured[] = [];
  if (lws !== undefined)
    await onControlPlane(options, `lws-${count}`, async (controlPlane) => {
      const system = await startLeaderWorkerSet(controlPlane, lws);
      controllers.push((await measure(controlPlane, system, count, skip)).measured);
      await system.stop();
    });
  return await onControlPlane(options, `groups-${count}`, async (controlPlane) => {
    const system = await startMimoOperator(controlPlane);
    const { measured, audit, groups } = await measure(controlPlane, system, count, skip);
    const { from, to } = measured.creation;
    const writes = requestsWithin(audit, { user: system.user, from, to }).filter(({ mutating }) => mutating);
    const recording = { ...recordWrites(writes, groups), system };
    if (!skip.has("upkeep")) {
      onProgress(`${count} groups: ${changes} changes by a user while everything is looked at again`);
      const userChanges = await measureUserChanges(controlPlane, system, groups, changes);
      controllers.push({ ...measured, userChanges });
    } else controllers.push(measured);
    await system.stop();
    const { gitVersion } = version.parse(await callApi(controlPlane, "/version"));
    return { controllers, recording, gitVersion };
  });
}

async function measure(
  controlPlane: ControlPlane,
  system: GroupSystem,
  count: number,
  skip: ReadonlySet<Skippable>,
) {
  const groups = groupsOf(`bench-${system.short}`, count);
  onProgress(`${count} groups: ${system.name} makes them`);
  const creation = await measureCreation(controlPlane, system, groups, onProgress);
  let upkeep: { readonly idle?: Idle; readonly restart?: Restart } = {};
  if (!skip.has("upkeep")) {
    onProgress(`${count} groups: ${system.name} idles, then is started again`);
    const idle = await measureIdle(system, idleSeconds);
    upkeep = { idle, restart: await measureRestart(system, count) };
  }
  onProgress("reading the audit log");
  const audit = await readAudit(controlPlane.auditLog, ({ user }) => user === system.user);
  return { groups, audit, measured: measuredOf(system, count, creation, upkeep, audit) };
}

/** The operator makes one where there is none; without any the admission policies refuse every deployment. */
async function createPlatform(controlPlane: ControlPlane): Promise<void> {
  const { mimoPlatforms } = resources;
  const body = {
    apiVersion: apiVersionOf(mimoPlatforms),
    kind: mimoPlatforms.kind,
    metadata: { name: platformName },
    spec: {},
  };
  await callApi(controlPlane, collectionPath(mimoPlatforms), { method: "POST", body });
}

/** The scheduler and kubelets are left out: pods stay as they were made, and what is left is the controllers' time. */
async function onControlPlane<T>(
  { directory, lws }: Options,
  name: string,
  work: (controlPlane: ControlPlane) => Promise<T>,
): Promise<T> {
  const controlPlane = await bootControlPlane({
    directory: join(directory, name),
    scheduler: false,
    onProgress,
    prepare: async (administrator) => {
      await installOperator(administrator);
      if (lws !== undefined) await installLeaderWorkerSet(administrator, lws);
    },
  });
  try {
    return await work(controlPlane);
  } finally {
    await controlPlane.stop();
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
