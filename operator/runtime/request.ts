import type { Readable } from "node:stream";
import { type BackoffPolicy, backoffSeconds } from "./backoff.ts";
import { type Clock, type Random, sleep } from "./clock.ts";
import type { Connection, PoolName, WireRequest, WireResponse } from "./connection.ts";
import { startDeadline } from "./deadline.ts";
import { ApiError, NotLeaderError, parseErrorAnswer, TransportError } from "./errors.ts";
import type { RateLimiter } from "./rate-limiter.ts";

/** Whether writes are allowed now. `held` reads the clock, so it is right even after the process was stopped. */
export interface WriteGate {
  /** Aborts for good when leadership ends: writes in flight are cut off. */
  readonly signal: AbortSignal;
  held(): boolean;
}

export interface Call {
  /** As RBAC and audit name it: get, list, watch, create, update, patch, delete; `apply` for server-side apply. */
  readonly verb: string;
  /** "statefulsets.apps", with "/status" where a subresource is meant. */
  readonly resource: string;
  /** "team-a/pro-0", or "" when the call is about none in particular. */
  readonly target: string;
  readonly method: WireRequest["method"];
  readonly path: string;
  readonly contentType?: string;
  /** Default `application/json`. */
  readonly accept?: string;
  readonly body?: string;
  /** Sending it twice has the effect of sending it once, so a lost answer may be retried. */
  readonly idempotent: boolean;
  /** 429 here is a decision (an eviction refused by a budget), not a request to slow down. */
  readonly tooManyRequestsIsFinal?: boolean;
  readonly timeoutSeconds: number;
  readonly signal?: AbortSignal | undefined;
}

/** Its signal alone ends it. */
export type StreamCall = Omit<Call, "timeoutSeconds">;

export interface RequestObservation {
  readonly verb: string;
  readonly resource: string;
  readonly method: string;
  /** HTTP status, or "<error>" when there was no answer. */
  readonly code: string;
  readonly seconds: number;
}

export interface RequesterOptions {
  readonly connection: Connection;
  readonly pool: PoolName;
  readonly userAgent: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly limiter?: RateLimiter | undefined;
  readonly gate?: WriteGate | undefined;
  /** 1 = no retries. */
  readonly maxAttempts: number;
  readonly onRequest?: ((observation: RequestObservation) => void) | undefined;
}

export interface Requester {
  /** The whole body of a successful answer. */
  text(call: Call): Promise<string>;
  /** The open body of a successful answer: for watches, on their own pool. Never retried here. */
  stream(call: StreamCall, signal: AbortSignal): Promise<Readable>;
}

const RETRY: BackoffPolicy = { baseSeconds: 0.2, maxSeconds: 5, jitter: 0.5 };
/** A longer Retry-After goes to the caller: a worker has better things to do than to wait. */
const MAX_WAIT_SECONDS = 10;
const CONNECTION_LOST = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "EPIPE",
  "UND_ERR_SOCKET",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Sends calls: write gate, rate limit, deadline, retries, errors with the name of what was asked. */
export function createRequester(options: RequesterOptions): Requester {
  const { connection, clock, random, gate } = options;

  async function send(call: StreamCall, pool: PoolName, signal: AbortSignal): Promise<WireResponse> {
    const startedAt = clock.monotonic();
    const observe = (code: string) =>
      options.onRequest?.({
        verb: call.verb,
        resource: call.resource,
        method: call.method,
        code,
        seconds: (clock.monotonic() - startedAt) / 1000,
      });
    try {
      const response = await connection.send(pool, {
        method: call.method,
        path: call.path,
        headers: {
          accept: call.accept ?? "application/json",
          "user-agent": options.userAgent,
          ...(call.contentType !== undefined && { "content-type": call.contentType }),
        },
        ...(call.body !== undefined && { body: call.body }),
        signal,
      });
      observe(String(response.statusCode));
      return response;
    } catch (error) {
      observe("<error>");
      throw error;
    }
  }

  async function failOnErrorStatus(call: StreamCall, response: WireResponse): Promise<void> {
    if (response.statusCode < 300) return;
    const retryAfter = response.headers["retry-after"];
    const header = Array.isArray(retryAfter) ? retryAfter[0] : retryAfter;
    throw new ApiError(
      describeCall(call),
      parseErrorAnswer(response.statusCode, await response.body.text(), header),
    );
  }

  async function attempt(call: Call): Promise<string> {
    const writes = call.method !== "GET";
    if (writes && gate !== undefined && !gate.held()) throw new NotLeaderError(describeCall(call));
    const deadline = startDeadline(
      clock,
      call.timeoutSeconds * 1000,
      [call.signal, writes ? gate?.signal : undefined],
      () => new DeadlineExceeded(call.timeoutSeconds),
    );
    try {
      const response = await send(call, options.pool, deadline.signal);
      await failOnErrorStatus(call, response);
      return await response.body.text();
    } catch (error) {
      if (error instanceof ApiError) throw error;
      if (writes && gate?.signal.aborted) throw new NotLeaderError(describeCall(call));
      call.signal?.throwIfAborted();
      throw transportError(call, deadline.signal.aborted ? deadline.signal.reason : error);
    } finally {
      deadline.release();
    }
  }

  return {
    text: async (call) => {
      for (let attempts = 1; ; attempts += 1) {
        await options.limiter?.take(call.signal);
        try {
          return await attempt(call);
        } catch (error) {
          const wait = retryDelaySeconds(call, error, attempts, random);
          if (wait === undefined || attempts >= options.maxAttempts) throw error;
          await sleep(clock, wait * 1000, call.signal);
        }
      }
    },
    stream: async (call, signal) => {
      await options.limiter?.take(signal);
      try {
        const response = await send(call, "watches", signal);
        await failOnErrorStatus(call, response);
        return response.body;
      } catch (error) {
        if (error instanceof ApiError) throw error;
        throw transportError(call, signal.aborted ? signal.reason : error);
      }
    },
  };
}

/** Seconds until the call may be sent again; undefined when it may not. */
function retryDelaySeconds(call: Call, error: unknown, attempts: number, random: Random): number | undefined {
  const backoff = backoffSeconds(RETRY, attempts, random);
  if (error instanceof ApiError) {
    const refusedUnseen = error.code === 429 && !call.tooManyRequestsIsFinal;
    const maybeServed = (error.code === 503 || error.code === 504) && call.idempotent;
    if (!refusedUnseen && !maybeServed) return undefined;
    const wait = Math.max(backoff, error.retryAfterSeconds ?? 0);
    return wait <= MAX_WAIT_SECONDS ? wait : undefined;
  }
  if (
    error instanceof TransportError &&
    !error.timedOut &&
    call.idempotent &&
    isConnectionLost(error.cause)
  ) {
    return backoff;
  }
  return undefined;
}

function isConnectionLost(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && CONNECTION_LOST.has(String(cause.code));
}

class DeadlineExceeded extends Error {
  constructor(seconds: number) {
    super(`no answer within ${seconds} s`);
  }
}

/** "apply statefulsets.apps team-a/pro-0": the opening of every error message. */
export function describeCall(call: Pick<Call, "verb" | "resource" | "target">): string {
  return [call.verb, call.resource, call.target].filter((part) => part !== "").join(" ");
}

function transportError(call: StreamCall, cause: unknown): TransportError {
  const path = call.path.split("?", 1)[0];
  return new TransportError(
    describeCall(call),
    `${call.method} ${path}`,
    cause,
    cause instanceof DeadlineExceeded ||
      (cause instanceof Error && (cause.name === "HeadersTimeoutError" || cause.name === "BodyTimeoutError")),
  );
}
