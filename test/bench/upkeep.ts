/** What converged groups cost: doing nothing, a restart, and a change by a user while everything is looked at again. */
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { objectPath } from "../../operator/runtime/paths.ts";
import { callApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { eventually } from "../e2e/eventually.ts";
import { metricTotal, reconcileTotal } from "../e2e/metrics.ts";
import type { GroupRef } from "./group-pods.ts";
import type { GroupSystem } from "./group-system.ts";
import type { MimoOperator } from "./mimo-operator.ts";
import { type Observer, observe } from "./observer.ts";
import { cpuMilliseconds, residentMib, untilQuiet } from "./process-usage.ts";
import { quantile } from "./report.ts";

/** Each look costs the controller some of the CPU that is measured; one that came ever later would round up what is measured. */
const looks = { first: 200, longest: 200, growth: 1 };
const limitSeconds = 1800;

export interface Idle {
  readonly seconds: number;
  readonly cpuMilliseconds: number;
  readonly from: Date;
  readonly to: Date;
}

export async function measureIdle(system: GroupSystem, seconds: number): Promise<Idle> {
  const before = await cpuMilliseconds(system.pid);
  const from = new Date();
  await delay(seconds * 1000);
  return {
    seconds,
    cpuMilliseconds: (await cpuMilliseconds(system.pid)) - before,
    from,
    to: new Date(),
  };
}

export interface Restart {
  /** From its start until each reconciler has looked at every group and nothing waits. */
  readonly caughtUpSeconds: number;
  /** Of the whole process until then. */
  readonly cpuMilliseconds: number;
  readonly peakMib: number;
  readonly from: Date;
  readonly to: Date;
}

export async function measureRestart(system: GroupSystem, groups: number): Promise<Restart> {
  await system.stop();
  await delay(1000);
  const from = new Date();
  const startedAt = performance.now();
  await system.start();
  await eventually(
    `${system.name} has caught up`,
    async () => isCaughtUp(system, groups, await system.metrics()),
    limitSeconds,
    looks,
  );
  const caughtUpSeconds = (performance.now() - startedAt) / 1000;
  const cpu = await cpuMilliseconds(system.pid);
  await untilQuiet(system.pid, limitSeconds);
  const { peak } = await residentMib(system.pid);
  return { caughtUpSeconds, cpuMilliseconds: cpu, peakMib: peak, from, to: new Date() };
}

function isCaughtUp({ reconcilers }: GroupSystem, groups: number, metrics: string): boolean {
  const looked = reconcilers.every(
    (controller) =>
      metricTotal(metrics, "controller_runtime_reconcile_total", ["controller", controller]) >= groups,
  );
  const waiting =
    metricTotal(metrics, "workqueue_depth") + metricTotal(metrics, "controller_runtime_active_workers");
  return looked && waiting === 0;
}

/** Changes by a user while every group is looked at over and over again. */
export interface UserChanges {
  readonly changes: number;
  /** From the PATCH until the status speaks of it. */
  readonly medianMilliseconds: number;
  readonly p99Milliseconds: number;
  /** Looks at groups in a second meanwhile. */
  readonly reconcilesPerSecond: number;
}

export async function measureUserChanges(
  controlPlane: ControlPlane,
  operator: MimoOperator,
  groups: readonly GroupRef[],
  changes: number,
): Promise<UserChanges> {
  const reconciles = async (): Promise<number> => reconcileTotal(await operator.metrics());
  await operator.stop();
  // A second apart, and what still waits is not added again: as soon as one round is done the next begins.
  await operator.start(1);
  const underWay = async () => ((await reconciles()) > groups.length ? true : undefined);
  await eventually("everything was looked at once", underWay, limitSeconds);
  const observer = await observe(controlPlane, operator.resource, operator.statefulSets);
  const [before, startedAt] = [await reconciles(), performance.now()];
  const samples: number[] = [];
  for (let index = 0; index < changes; index += 1) {
    const group = groups[Math.floor((index * groups.length) / changes)];
    if (group !== undefined) samples.push(await change(controlPlane, operator, observer, group, index));
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const reconcilesPerSecond = ((await reconciles()) - before) / seconds;
  await observer.stop();
  return {
    changes,
    medianMilliseconds: quantile(samples, 0.5) ?? Number.NaN,
    p99Milliseconds: quantile(samples, 0.99) ?? Number.NaN,
    reconcilesPerSecond,
  };
}

const changed = z.object({ metadata: z.object({ generation: z.int() }) });

/** A new generation that leaves the pods alone. Milliseconds until it is answered. */
async function change(
  controlPlane: ControlPlane,
  { resource }: GroupSystem,
  observer: Observer,
  group: GroupRef,
  index: number,
): Promise<number> {
  const startedAt = performance.now();
  const answer = await callApi(controlPlane, objectPath(resource, group), {
    method: "PATCH",
    body: { spec: { recovery: { maxRestarts: 6 + (index % 50) } } },
    contentType: "application/merge-patch+json",
  });
  const { generation } = changed.parse(answer).metadata;
  while ((observer.of(group.name)?.observedGeneration ?? 0) < generation) {
    if (performance.now() - startedAt > 60_000)
      throw new Error(`${group.name}: no answer to a change in 60 s`);
    await delay(2);
  }
  return performance.now() - startedAt;
}
