import type { Logger } from "pino";
import { type Clock, pause, type Random } from "./clock.ts";
import { isAlreadyExists, isConflict } from "./errors.ts";
import { createLeaseLock, type LeaseLockOptions } from "./lease-lock.ts";
import type { WriteGate } from "./request.ts";

export interface ElectorOptions extends Pick<LeaseLockOptions, "client" | "lease"> {
  /** Unique per process, not per pod: a restarted container must not inherit its predecessor's lease. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Starts the leader's work; its writes go through a client with this gate. */
  readonly onStartedLeading: (gate: WriteGate) => void;
  /** Leadership is gone; the gate is closed already. */
  readonly onStoppedLeading: () => void;
  /** Stop leading and standing. Abort it only after the leader's work has drained: the lease is then released. */
  readonly signal: AbortSignal;
  readonly timing?: ElectorTiming;
}

export interface ElectorTiming {
  /** Others wait this long after the last renewal they saw. */
  readonly leaseSeconds: number;
  /** The holder stops writing this long after it sent its last successful renewal. */
  readonly renewDeadlineSeconds: number;
  readonly retrySeconds: number;
}

/** `released`: told to stop. `lost`: another leads, or renewing failed for too long. */
export type ElectionEnd = { readonly kind: "released" } | { readonly kind: "lost"; readonly reason: string };

/** The values of client-go and of the control plane's own components. */
const TIMING: ElectorTiming = { leaseSeconds: 15, renewDeadlineSeconds: 10, retrySeconds: 2 };

/**
 * Stands for election until told to stop, or until a term that it won is lost: then the process should
 * exit and start afresh.
 */
export async function runElection(options: ElectorOptions): Promise<ElectionEnd> {
  const { clock, random, log, signal } = options;
  const timing = options.timing ?? TIMING;
  const lock = createLeaseLock({ ...options, leaseSeconds: timing.leaseSeconds });
  const term = new AbortController();
  // `signal` never cuts off a request: a write whose fate is unknown could not be released.
  const callSeconds = timing.renewDeadlineSeconds / 2;

  async function acquire(): Promise<number | undefined> {
    let knownHolder = "";
    while (!signal.aborted) {
      try {
        const attempt = await lock.tryHold(callSeconds, term.signal);
        if (attempt.kind === "held") return attempt.sentAt;
        if (attempt.by !== knownHolder)
          log.info({ holder: attempt.by }, "standing by: another process leads");
        knownHolder = attempt.by;
      } catch (error) {
        const lostRace = isConflict(error) || isAlreadyExists(error);
        log[lostRace ? "debug" : "warn"]({ err: error }, "could not take the lease");
      }
      await pause(clock, timing.retrySeconds * 1000 * (1 + 0.2 * random()), signal);
    }
    return undefined;
  }

  async function renewUntilLost(acquiredAt: number): Promise<string | undefined> {
    let heldUntil = acquiredAt + timing.renewDeadlineSeconds * 1000;
    let lostBecause: string | undefined;
    let lastFailure = "no answer";
    const wake = new AbortController();
    const onStop = () => wake.abort();
    signal.addEventListener("abort", onStop, { once: true });

    function lose(reason: string): void {
      if (lostBecause !== undefined) return;
      lostBecause = reason;
      log.error({ reason }, "leadership lost: all writes stop now");
      term.abort(new Error(`leadership lost: ${reason}`));
      wake.abort();
    }
    // A timer of its own: neither a hanging request nor a pause may delay the end of the term.
    const expire = () =>
      lose(`the lease was not renewed for ${timing.renewDeadlineSeconds} s: ${lastFailure}`);
    const armExpiry = () => clock.setTimeout(expire, Math.max(0, heldUntil - clock.monotonic()));

    let cancelExpiry = armExpiry();
    log.info({ identity: options.identity }, "leading");
    options.onStartedLeading({
      signal: term.signal,
      held: () => !term.signal.aborted && clock.monotonic() < heldUntil,
    });
    while (!wake.signal.aborted) {
      await pause(clock, timing.retrySeconds * 1000, wake.signal);
      if (wake.signal.aborted) break;
      // After the process was suspended this line may run before the timer.
      if (clock.monotonic() >= heldUntil) {
        expire();
        break;
      }
      try {
        const attempt = await lock.tryHold(callSeconds, term.signal);
        if (attempt.kind === "taken") lose(`${attempt.by} holds the lease`);
        if (lostBecause !== undefined || attempt.kind === "taken") break;
        heldUntil = attempt.sentAt + timing.renewDeadlineSeconds * 1000;
        cancelExpiry();
        cancelExpiry = armExpiry();
      } catch (error) {
        lastFailure = error instanceof Error ? error.message : String(error);
        log.warn({ err: error }, "could not renew the lease");
      }
    }
    cancelExpiry();
    signal.removeEventListener("abort", onStop);
    return lostBecause;
  }

  async function release(): Promise<void> {
    try {
      await lock.release(callSeconds);
      log.info("lease released");
    } catch (error) {
      log.warn({ err: error }, `could not release the lease; it runs out in ${timing.leaseSeconds} s`);
    }
  }

  const acquiredAt = await acquire();
  if (acquiredAt === undefined) return { kind: "released" };
  if (!signal.aborted) {
    const reason = await renewUntilLost(acquiredAt);
    if (reason === undefined) term.abort(new Error("leadership given up: this process is stopping"));
    options.onStoppedLeading();
    if (reason !== undefined) return { kind: "lost", reason };
  }
  await release();
  return { kind: "released" };
}
