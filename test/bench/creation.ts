import { setTimeout as delay } from "node:timers/promises";
import { collectionPath } from "../../operator/runtime/paths.ts";
import { callApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import type { Progress } from "../controlplane/go-programs.ts";
import { isAlive } from "../controlplane/liveness.ts";
import type { GroupRef } from "./group-pods.ts";
import type { GroupSystem } from "./group-system.ts";
import { createNamespaces } from "./namespaces.ts";
import { type Observer, observe } from "./observer.ts";
import { cpuMilliseconds, residentMib, untilQuiet } from "./process-usage.ts";
import { quantile } from "./report.ts";

export const groupSize = 2;
/** Objects posted at the same time. */
const postersCount = 16;
const limitSeconds = 3600;

/** How fast groups came to be, whoever made them. */
export interface Pace {
  /** From the first object posted to the last group's StatefulSets. */
  readonly statefulSetSeconds: number;
  /** From the first object posted to the last status that counts its group. */
  readonly statusSeconds: number;
  /** From an object's POST until its group's StatefulSets exist. */
  readonly medianMilliseconds: number;
  readonly p99Milliseconds: number;
}

/** What making the groups took one controller. */
export interface Creation extends Pace {
  readonly cpuMillisecondsPerGroup: number;
  readonly apiServerCpuMillisecondsPerGroup: number;
  readonly peakMib: number;
  readonly from: Date;
  readonly to: Date;
}

/** Posts all groups at once and waits until the controller has nothing more to do. */
export async function measureCreation(
  controlPlane: ControlPlane,
  system: GroupSystem,
  groups: readonly GroupRef[],
  onProgress: Progress,
): Promise<Creation> {
  await createNamespaces(controlPlane, groups);
  const observer = await observe(controlPlane, system.resource, system.statefulSets);
  const apiServer = controlPlane.pids["kube-apiserver"] ?? 0;
  const before = { own: await cpuMilliseconds(system.pid), server: await cpuMilliseconds(apiServer) };
  const from = new Date();
  const posted = new Map<string, number>();
  const startedAt = performance.now();
  await inParallel(postersCount, groups, async (group) => {
    posted.set(group.name, performance.now());
    const path = collectionPath(system.resource, group.namespace);
    await callApi(controlPlane, path, { method: "POST", body: system.objectOf(group, groupSize) });
  });
  const pace = await paceOf(observer, startedAt, posted, (progress) => {
    if (!isAlive(system.pid)) throw new Error(`process ${system.pid} has ended: its log says why`);
    onProgress(progress);
  });
  await untilQuiet(system.pid, limitSeconds);
  const to = new Date();
  await observer.stop();
  const perGroup = (after: number, since: number): number => (after - since) / groups.length;
  return {
    ...pace,
    cpuMillisecondsPerGroup: perGroup(await cpuMilliseconds(system.pid), before.own),
    apiServerCpuMillisecondsPerGroup: perGroup(await cpuMilliseconds(apiServer), before.server),
    peakMib: (await residentMib(system.pid)).peak,
    from,
    to,
  };
}

/**
 * Waits until every group's StatefulSets exist and its status counts it.
 * @param posted when each group's object was posted, in milliseconds of `performance.now()`.
 */
export async function paceOf(
  observer: Observer,
  startedAt: number,
  posted: ReadonlyMap<string, number>,
  onProgress: Progress,
): Promise<Pace> {
  const deadline = startedAt + limitSeconds * 1000;
  let toldAt = startedAt;
  for (;;) {
    const [made, told] = [observer.count("statefulSets"), observer.count("status")];
    if (made >= posted.size && told >= posted.size) break;
    const progress = `${made} of ${posted.size} groups have StatefulSets, ${told} a status`;
    if (performance.now() > deadline) throw new Error(`after ${limitSeconds} s ${progress}`);
    if (performance.now() - toldAt > 15_000) {
      onProgress(`  ${progress}`);
      toldAt = performance.now();
    }
    await delay(20);
  }
  const seen = [...posted].map(([group, at]) => ({ at, sighting: observer.of(group) }));
  const latencies = seen.map(({ at, sighting }) => (sighting?.statefulSets ?? Number.NaN) - at);
  const last = (what: "statefulSets" | "status"): number =>
    (Math.max(...seen.map(({ sighting }) => sighting?.[what] ?? Number.NaN)) - startedAt) / 1000;
  return {
    statefulSetSeconds: last("statefulSets"),
    statusSeconds: last("status"),
    medianMilliseconds: quantile(latencies, 0.5) ?? Number.NaN,
    p99Milliseconds: quantile(latencies, 0.99) ?? Number.NaN,
  };
}

/** Works through the items, so many at a time. */
export async function inParallel<T>(
  workers: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}
