import type { Logger } from "pino";
import { type Clock, pause, type Random } from "./clock.ts";
import { startDeadline } from "./deadline.ts";
import { ApiError, isConflict, NotLeaderError } from "./errors.ts";
import { runWorkers, type WorkQueue } from "./workqueue.ts";

export interface ReconcileResult {
  /** Look again after this long even if nothing happens. */
  readonly requeueAfterSeconds?: number;
}

/** Brings one object to its desired state. Called for one key at a time; a rejection is retried with backoff. */
export type Reconcile = (key: string, signal: AbortSignal, log: Logger) => Promise<ReconcileResult>;

export type ReconcileOutcome = "success" | "error" | "requeue_after";

export interface ReconcileObserver {
  started(): void;
  finished(outcome: ReconcileOutcome, seconds: number): void;
}

export interface ControllerOptions {
  readonly queue: WorkQueue;
  readonly workers: number;
  readonly reconcile: Reconcile;
  readonly resync: {
    readonly periodSeconds: number;
    /** Every key there is. */
    readonly keys: () => Iterable<string>;
  };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly observer?: ReconcileObserver;
  /** Graceful stop: no new keys, keys in work are finished within `drainSeconds`. */
  readonly stop: AbortSignal;
  readonly drainSeconds: number;
  /** Hard stop, as when leadership is lost: reconciles in flight are aborted at once. */
  readonly abort: AbortSignal;
}

/** Runs until stopped; resolves when every reconcile has ended. */
export async function runController(options: ControllerOptions): Promise<void> {
  const { queue, clock, random, stop, abort } = options;
  const cut = new AbortController();
  const ended = new AbortController();

  async function work(key: string): Promise<void> {
    const log = options.log.child({ key, reconcileId: reconcileId(random) });
    const startedAt = clock.monotonic();
    options.observer?.started();
    const finish = (outcome: ReconcileOutcome) =>
      options.observer?.finished(outcome, (clock.monotonic() - startedAt) / 1000);
    try {
      const { requeueAfterSeconds } = await options.reconcile(key, cut.signal, log);
      queue.forget(key);
      if (requeueAfterSeconds !== undefined) queue.addAfter(key, requeueAfterSeconds);
      finish(requeueAfterSeconds === undefined ? "success" : "requeue_after");
    } catch (error) {
      finish("error");
      if (cut.signal.aborted || error instanceof NotLeaderError) {
        log.info({ err: error }, "reconcile cut off: this process is stopping or no longer leads");
        return;
      }
      retry(key, error, log);
    }
  }

  function retry(key: string, error: unknown, log: Logger): void {
    const retryInSeconds = queue.addRateLimited(
      key,
      error instanceof ApiError ? error.retryAfterSeconds : undefined,
    );
    const detail = { err: error, retries: queue.retries(key), retryInSeconds };
    // Somebody else wrote first: expected, and cured by looking again.
    if (isConflict(error)) log.info(detail, "reconcile met a conflict, trying again");
    else log.error(detail, "reconcile failed, trying again");
  }

  async function resync(): Promise<void> {
    while (!ended.signal.aborted) {
      const seconds = options.resync.periodSeconds * (1 + 0.1 * random());
      await pause(clock, seconds * 1000, ended.signal);
      if (ended.signal.aborted) return;
      for (const key of options.resync.keys()) queue.add(key, "resync");
    }
  }

  async function shutDown(): Promise<void> {
    await firstAbort([stop, abort], () => void queue.shutDown());
    const deadline = new Error(`not finished within ${options.drainSeconds} s of the stop`);
    const limit = startDeadline(clock, options.drainSeconds * 1000, [abort], () => deadline);
    whenAborted(limit.signal, () => cut.abort(limit.signal.reason));
    await queue.shutDown();
    limit.release();
    ended.abort();
  }

  await Promise.all([runWorkers(queue, options.workers, work), resync(), shutDown()]);
}

/** Eight hexadecimal digits that join the log lines of one reconcile. */
function reconcileId(random: Random): string {
  return Math.floor(random() * 2 ** 32)
    .toString(16)
    .padStart(8, "0");
}

function whenAborted(signal: AbortSignal, callback: () => void): void {
  if (signal.aborted) callback();
  else signal.addEventListener("abort", callback, { once: true });
}

/** `callback` runs within the abort itself: nothing that the same turn adds may slip in. */
function firstAbort(signals: readonly AbortSignal[], callback: () => void): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of signals) {
      whenAborted(signal, () => {
        callback();
        resolve();
      });
    }
  });
}
