import { setTimeout as delay } from "node:timers/promises";
import type { ControlPlane } from "../controlplane/boot.ts";
import { type Fault, inject } from "../controlplane/faults.ts";
import type { Progress } from "../controlplane/go-programs.ts";
import { eventually } from "../e2e/eventually.ts";
import type { GroupPods, GroupRef } from "./group-pods.ts";
import { type GroupSystem, isReady, isRebuilt, isSplit, isWhole, rankOf } from "./group-system.ts";
import { createNamespaces, removeNamespaces } from "./namespaces.ts";
import type { Window } from "./requests.ts";

/** Whole for this long counts as whole; the time told is that of becoming so. */
const settledMilliseconds = 300;
/** The next fault doesn't wait for a group that takes longer; its time still runs. */
const patienceMilliseconds = 3000;
/** Progress may be told up to 5 s late: those writes belong to what they tell of. */
const quietMilliseconds = 6000;
const setupSeconds = 900;

export interface Bench {
  readonly controlPlane: ControlPlane;
  readonly pods: GroupPods;
  readonly systems: readonly GroupSystem[];
  /** Groups of each system for each fault. */
  readonly trials: number;
  readonly limitSeconds: number;
  readonly onProgress: Progress;
}

/** What became of one group. */
export interface Trial {
  readonly group: string;
  /** The rank that was hit. */
  readonly rank: number;
  /** From the fault until the group was whole; null when it wasn't within the limit, or not for good. */
  readonly milliseconds: number | null;
  /** Pods made since the fault for each rank. */
  readonly podsMade: readonly number[];
  /** Old and new ranks stand side by side in the end. */
  readonly split: boolean;
  /** What stands there in the end. */
  readonly remains: string;
}

/** What one system did about one kind of fault. */
export interface Round {
  readonly system: GroupSystem;
  readonly size: number;
  readonly fault: Fault;
  readonly window: Window;
  readonly trials: readonly Trial[];
}

interface Injury {
  readonly group: GroupRef;
  readonly rank: number;
  readonly before: readonly Pod[];
  readonly madeBefore: number;
  readonly whole: Promise<number | undefined>;
}
type Pod = ReturnType<GroupPods["of"]>[number];

/**
 * One fault in each of many new groups of each system, one after the other and the systems in turn, so that whatever else
 * the machine does hits all alike. Every rank is hit equally often, and the same ones in each system.
 */
export async function measureFault(bench: Bench, size: number, fault: Fault): Promise<Round[]> {
  const { controlPlane, systems, pods, trials, onProgress } = bench;
  const title = `${fault}, groups of ${size}`;
  const fields = systems.map((system) => {
    const namespace = `${system.short}-${size}-${fault.toLowerCase().replaceAll(" ", "-")}`;
    const groups = Array.from({ length: trials }, (_, index) => ({ namespace, name: `g${index}` }));
    return { system, namespace, groups, injuries: [] as Injury[] };
  });
  onProgress(`${title}: creating ${trials} groups of each controller`);
  for (const { system, groups } of fields) {
    await createNamespaces(controlPlane, groups);
    await system.createGroups(groups, size);
  }
  for (const { system, groups } of fields) await allWhole(system, groups, size, pods);
  await delay(quietMilliseconds);

  const from = new Date();
  for (let index = 0; index < trials; index += 1) {
    if (index % 10 === 0) onProgress(`${title}: hit ${index} of ${trials}`);
    const turn = Math.floor(index / size) % 2 === 0 ? fields : fields.toReversed();
    for (const { system, groups, injuries } of turn) {
      const group = groups[index];
      if (group === undefined) continue;
      const injury = await injure(bench, system, group, index % size, fault);
      injuries.push(injury);
      await Promise.race([injury.whole, delay(patienceMilliseconds)]);
    }
  }
  await Promise.all(fields.flatMap(({ injuries }) => injuries.map(({ whole }) => whole)));
  await delay(quietMilliseconds);
  const to = new Date();
  const rounds: Round[] = [];
  for (const { system, namespace, injuries } of fields) {
    const window = { user: system.user, namespace, from, to };
    const outcomes = injuries.map((injury) => outcome(system, injury, pods));
    rounds.push({ system, size, fault, window, trials: await Promise.all(outcomes) });
  }
  for (const { groups } of fields) await removeNamespaces(controlPlane, groups);
  return rounds;
}

async function injure(
  { controlPlane, pods, limitSeconds }: Bench,
  system: GroupSystem,
  group: GroupRef,
  rank: number,
  fault: Fault,
): Promise<Injury> {
  const before = pods.of(group);
  const victim = before.find((pod) => rankOf(system, pod) === rank);
  if (victim === undefined) throw new Error(`${group.namespace}/${group.name} has no rank ${rank}`);
  const madeBefore = pods.history(group).length;
  const rebuilt = (): boolean => isRebuilt(system, before, pods.of(group));
  const whole = untilWhole(pods, group, rebuilt, limitSeconds * 1000);
  await inject(controlPlane, fault, { namespace: group.namespace, name: victim.metadata.name });
  return { group, rank, before, madeBefore, whole };
}

/** Milliseconds from now until the group is whole and stays so; undefined when it isn't within the limit. */
function untilWhole(
  pods: GroupPods,
  group: GroupRef,
  isWholeNow: () => boolean,
  limitMilliseconds: number,
): Promise<number | undefined> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    let settling: NodeJS.Timeout | undefined;
    const finish = (milliseconds: number | undefined): void => {
      clearTimeout(settling);
      clearTimeout(limit);
      unsubscribe();
      resolve(milliseconds);
    };
    const limit = setTimeout(() => finish(undefined), limitMilliseconds);
    const unsubscribe = pods.onChange(group, () => {
      if (!isWholeNow()) {
        clearTimeout(settling);
        settling = undefined;
        return;
      }
      const milliseconds = performance.now() - startedAt;
      settling ??= setTimeout(() => finish(milliseconds), settledMilliseconds);
    });
  });
}

async function outcome(system: GroupSystem, injury: Injury, pods: GroupPods): Promise<Trial> {
  const { group, rank, before, madeBefore } = injury;
  const now = pods.of(group);
  const made = pods.history(group).slice(madeBefore);
  const milliseconds = await injury.whole;
  const lasting = milliseconds !== undefined && isRebuilt(system, before, now);
  return {
    group: group.name,
    rank,
    milliseconds: lasting ? Math.round(milliseconds) : null,
    podsMade: before.map((_, index) => made.filter((pod) => rankOf(system, pod) === index).length),
    split: isSplit(before, now),
    remains: describe(system, before, now),
  };
}

/** Each rank's pod, such as `0: old Running Ready`. */
function describe(system: GroupSystem, before: readonly Pod[], now: readonly Pod[]): string {
  return before
    .map((_, rank) => {
      const pod = now.find((each) => rankOf(system, each) === rank);
      if (pod === undefined) return `${rank}: none`;
      const old = before.some(({ metadata }) => metadata.uid === pod.metadata.uid);
      return `${rank}: ${old ? "old" : "new"} ${pod.status?.phase}${isReady(pod) ? " Ready" : ""}`;
    })
    .join(", ");
}

const allWhole = (
  system: GroupSystem,
  groups: readonly GroupRef[],
  size: number,
  pods: GroupPods,
): Promise<boolean> =>
  eventually(
    `all groups of ${system.name} are up`,
    async () => {
      const missing = groups.filter((group) => !isWhole(system, size, pods.of(group)));
      if (missing.length === 0) return true;
      throw new Error(`${missing.length} of ${groups.length} are not, such as ${missing[0]?.name}`);
    },
    setupSeconds,
  );
