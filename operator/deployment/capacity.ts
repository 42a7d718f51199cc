import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../runtime/clock.ts";
import { holdsGpus, type Node, type Pod } from "./objects.ts";
import type { Held } from "./placement.ts";

/**
 * What pods hold of each node, kept up with the caches; and who waits for more of it. Those that wait are looked at again
 * once for any number of changes that come together.
 */
export interface CapacityTracker {
  /** By node. */
  readonly held: ReadonlyMap<string, Held>;
  podChanged(old: Pod | undefined, current: Pod | undefined): void;
  nodeChanged(old: Node | undefined, current: Node | undefined): void;
  /** Something else happened that groups may wait for. */
  changed(): void;
  /** Whether groups of the deployment wait for nodes. */
  waits(key: string, waiting: boolean): void;
}

/** Pods of a group go one after the other. */
const settleMilliseconds = 200;

export function createCapacityTracker(clock: Clock, wake: (key: string) => void): CapacityTracker {
  const held = new Map<string, Held>();
  const waiting = new Set<string>();
  let due = false;

  function changed(): void {
    if (due) return;
    due = true;
    clock.setTimeout(() => {
      due = false;
      for (const key of waiting) wake(key);
    }, settleMilliseconds);
  }

  function add(pod: Pod | undefined, sign: 1 | -1): void {
    if (pod === undefined || !holdsGpus(pod)) return;
    const node = pod.spec.nodeName ?? "";
    const { gpus, pods } = held.get(node) ?? { gpus: 0, pods: 0 };
    if (pods + sign === 0) held.delete(node);
    else held.set(node, { gpus: gpus + sign * pod.spec.gpus, pods: pods + sign });
  }

  return {
    held,
    changed,
    podChanged: (old, current) => {
      const [before, after] = [old, current].map((pod) => pod !== undefined && holdsGpus(pod));
      if (before === after && old?.spec.nodeName === current?.spec.nodeName) return;
      add(old, -1);
      add(current, 1);
      changed();
    },
    nodeChanged: (old, current) => {
      if (!isDeepStrictEqual(offer(old), offer(current))) changed();
    },
    waits: (key, isWaiting) => {
      if (isWaiting) waiting.add(key);
      else waiting.delete(key);
    },
  };
}

/** What a node offers. Its heartbeats change nothing of it. */
const offer = (node: Node | undefined): unknown =>
  node && [
    node.metadata.labels,
    node.spec,
    node.status?.gpus,
    node.status?.conditions?.find(({ type }) => type === "Ready")?.status,
  ];
