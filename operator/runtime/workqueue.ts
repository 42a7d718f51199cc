import { type BackoffPolicy, backoffSeconds } from "./backoff.ts";
import type { Clock, Random } from "./clock.ts";

/** "user" is served before "resync": a person waits for the one, nobody for the other. */
export type Priority = "user" | "resync";

export interface WorkQueueObserver {
  added(): void;
  /** A worker took a key that had waited this long. */
  taken(waitedSeconds: number): void;
  finished(workedSeconds: number): void;
  retried(): void;
}

export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly backoff: BackoffPolicy;
  readonly observer?: WorkQueueObserver;
}

/**
 * Keys waiting for work, with the promises of client-go's workqueue: a key waits at most once, is never
 * worked on by two workers at a time, and a key added while it is being worked on is worked on again.
 */
export interface WorkQueue {
  add(key: string, priority?: Priority): void;
  /** Adds later; of several pending delays for a key the earliest counts. */
  addAfter(key: string, seconds: number, priority?: Priority): void;
  /**
   * Adds after this key's backoff, which doubles with every call until `forget`, and not before
   * `atLeastSeconds`. Returns the delay in seconds.
   */
  addRateLimited(key: string, atLeastSeconds?: number): number;
  /** The key's work succeeded: its backoff starts again from the beginning. */
  forget(key: string): void;
  /** How often `addRateLimited` was called since the last `forget`. */
  retries(key: string): number;
  /** Waits for a key; undefined when the queue is shut down and empty. Every key must be given back by `done`. */
  take(): Promise<string | undefined>;
  done(key: string): void;
  /** Keys ready to be taken. */
  readonly length: number;
  /** Seconds each key in work has been worked on so far. */
  inWorkSeconds(): number[];
  /** Takes no more keys, drops what waits, and resolves when all keys in work are given back. */
  shutDown(): Promise<void>;
}

/** After so many user keys in a row one resync key has its turn, so that none waits for ever. */
const USER_KEYS_PER_RESYNC_KEY = 10;

export function createWorkQueue({ clock, random, backoff, observer }: WorkQueueOptions): WorkQueue {
  // Each map: key → when it became ready. A Map keeps the order of insertion, which is the order of service.
  const ready: Record<Priority, Map<string, number>> = { user: new Map(), resync: new Map() };
  const working = new Map<string, number>();
  const dirtyAgain = new Map<string, Priority>();
  const delayed = new Map<string, { at: number; priority: Priority; cancel: () => void }>();
  const failures = new Map<string, number>();
  const takers: ((key: string | undefined) => void)[] = [];
  const drained = Promise.withResolvers<void>();
  let userKeysInARow = 0;
  let shuttingDown = false;

  function add(key: string, priority: Priority = "user"): void {
    if (shuttingDown) return;
    if (working.has(key)) {
      if (!dirtyAgain.has(key)) observer?.added();
      dirtyAgain.set(key, higher(dirtyAgain.get(key), priority));
      return;
    }
    if (ready.user.has(key)) return;
    const since = ready.resync.get(key);
    if (since !== undefined && priority === "resync") return;
    ready.resync.delete(key);
    ready[priority].set(key, since ?? clock.monotonic());
    if (since === undefined) observer?.added();
    hand();
  }

  function hand(): void {
    while (takers.length > 0) {
      const key = next();
      if (key === undefined) return;
      takers.shift()?.(key);
    }
  }

  function next(): string | undefined {
    const resyncTurn = ready.user.size === 0 || userKeysInARow >= USER_KEYS_PER_RESYNC_KEY;
    const queue = resyncTurn && ready.resync.size > 0 ? ready.resync : ready.user;
    const first = queue.entries().next().value;
    if (first === undefined) return undefined;
    const [key, since] = first;
    userKeysInARow = queue === ready.user ? userKeysInARow + 1 : 0;
    queue.delete(key);
    const now = clock.monotonic();
    working.set(key, now);
    observer?.taken((now - since) / 1000);
    return key;
  }

  function addAfter(key: string, seconds: number, priority: Priority = "user"): void {
    if (shuttingDown) return;
    if (seconds <= 0) {
      add(key, priority);
      return;
    }
    const at = clock.monotonic() + seconds * 1000;
    const earlier = delayed.get(key);
    const merged = { at: Math.min(at, earlier?.at ?? at), priority: higher(earlier?.priority, priority) };
    earlier?.cancel();
    const cancel = clock.setTimeout(() => {
      delayed.delete(key);
      add(key, merged.priority);
    }, merged.at - clock.monotonic());
    delayed.set(key, { ...merged, cancel });
  }

  return {
    add,
    addAfter,
    addRateLimited: (key, atLeastSeconds = 0) => {
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      observer?.retried();
      const seconds = Math.max(backoffSeconds(backoff, count, random), atLeastSeconds);
      addAfter(key, seconds);
      return seconds;
    },
    forget: (key) => {
      failures.delete(key);
    },
    retries: (key) => failures.get(key) ?? 0,
    take: () => {
      if (shuttingDown) return Promise.resolve(undefined);
      const key = next();
      return key === undefined ? new Promise((resolve) => takers.push(resolve)) : Promise.resolve(key);
    },
    done: (key) => {
      const since = working.get(key);
      if (since === undefined) throw new Error(`done(${JSON.stringify(key)}): nobody is working on that key`);
      working.delete(key);
      observer?.finished((clock.monotonic() - since) / 1000);
      const again = dirtyAgain.get(key);
      dirtyAgain.delete(key);
      if (again !== undefined && !shuttingDown) {
        ready[again].set(key, clock.monotonic());
        hand();
      }
      if (shuttingDown && working.size === 0) drained.resolve();
    },
    get length() {
      return ready.user.size + ready.resync.size;
    },
    inWorkSeconds: () => [...working.values()].map((since) => (clock.monotonic() - since) / 1000),
    shutDown: () => {
      shuttingDown = true;
      for (const { cancel } of delayed.values()) cancel();
      delayed.clear();
      ready.user.clear();
      ready.resync.clear();
      for (const resolve of takers.splice(0)) resolve(undefined);
      if (working.size === 0) drained.resolve();
      return drained.promise;
    },
  };
}

/**
 * Runs `count` workers until the queue is shut down; each takes a key, works on it, gives it back.
 * `work` must not reject: what goes wrong with a key is its business.
 */
export async function runWorkers(
  queue: WorkQueue,
  count: number,
  work: (key: string) => Promise<void>,
): Promise<void> {
  async function worker(): Promise<void> {
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      try {
        await work(key);
      } finally {
        queue.done(key);
      }
    }
  }
  await Promise.all(Array.from({ length: count }, worker));
}

function higher(a: Priority | undefined, b: Priority): Priority {
  return a === "user" || b === "user" ? "user" : "resync";
}
