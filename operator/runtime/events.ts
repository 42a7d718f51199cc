import type { Logger } from "pino";
import type { ApiResource, KubeObject } from "../../charts/kubernetes.ts";
import type { Client } from "./client-api.ts";
import type { Clock, Random } from "./clock.ts";
import { isNotFound } from "./errors.ts";
import { microTime } from "./micro-time.ts";
import { createRateLimiter } from "./rate-limiter.ts";

export interface EventRecorderOptions {
  readonly client: Pick<Client, "create" | "patch">;
  /** Name of the controller, such as "mimo.dev/operator". */
  readonly reportingController: string;
  /** The pod. */
  readonly reportingInstance: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly onDropped?: () => void;
}

export interface EventContent {
  readonly type: "Normal" | "Warning";
  /** Why, in UpperCamelCase: the machine's word. */
  readonly reason: string;
  /** What was done, in UpperCamelCase, such as "RebuildGroup". */
  readonly action: string;
  /** For people; cut to 1 kB. */
  readonly note: string;
}

/** Best effort: recording never waits and never fails; what can't be written is logged and dropped. */
export interface EventRecorder {
  record(regarding: KubeObject, content: EventContent): void;
  /** Writes what was counted but not yet written, waits for what is on its way, and lets the process end. */
  close(): Promise<void>;
}

export const EVENTS: ApiResource = {
  group: "events.k8s.io",
  version: "v1",
  plural: "events",
  kind: "Event",
  namespaced: true,
};

/** The same event within this time is counted, not written again. */
const SERIES_MILLISECONDS = 600_000;
/** A running count is written this often at most. */
const COUNT_MILLISECONDS = 300_000;
const MAX_NOTE_BYTES = 1024;
/** Bounds memory when every note differs. */
const MAX_SERIES = 1000;

interface Series {
  readonly name: string;
  readonly namespace: string;
  readonly created: Promise<boolean>;
  count: number;
  writtenCount: number;
  lastSeen: number;
  lastSeenAt: string;
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, clock, log } = options;
  const limiter = createRateLimiter(clock, { qps: 1, burst: 25 });
  const seriesByKey = new Map<string, Series>();
  const inFlight = new Set<Promise<unknown>>();
  let cancelSweep: (() => void) | undefined;

  function track<T>(work: Promise<T>): Promise<T> {
    inFlight.add(work);
    void work.finally(() => inFlight.delete(work));
    return work;
  }

  function record(regarding: KubeObject, content: EventContent): void {
    const note = cutToBytes(content.note, MAX_NOTE_BYTES);
    const key = JSON.stringify([regarding.metadata.uid, content.type, content.reason, content.action, note]);
    const known = seriesByKey.get(key);
    const now = clock.monotonic();
    if (known !== undefined && now - known.lastSeen < SERIES_MILLISECONDS) {
      known.count += 1;
      known.lastSeen = now;
      known.lastSeenAt = microTime(clock.now());
      return;
    }
    if (!limiter.tryTake()) {
      options.onDropped?.();
      log.warn({ regarding: regarding.metadata.name, ...content }, "event dropped: too many at once");
      return;
    }
    makeRoom();
    const event = eventObject(regarding, { ...content, note });
    seriesByKey.delete(key);
    seriesByKey.set(key, {
      name: event.metadata.name,
      namespace: event.metadata.namespace,
      created: track(create(event)),
      count: 1,
      writtenCount: 1,
      lastSeen: now,
      lastSeenAt: event.eventTime,
    });
    scheduleSweep();
  }

  function eventObject(regarding: KubeObject, content: EventContent) {
    const { name = "", namespace, uid, resourceVersion } = regarding.metadata;
    const at = clock.now();
    const suffix = Math.floor(options.random() * 2 ** 32).toString(16);
    return {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: `${name}.${at.toString(16)}${suffix}`, namespace: namespace ?? "default" },
      eventTime: microTime(at),
      reportingController: options.reportingController,
      reportingInstance: options.reportingInstance,
      regarding: {
        apiVersion: regarding.apiVersion,
        kind: regarding.kind,
        name,
        namespace,
        uid,
        resourceVersion,
      },
      ...content,
    };
  }

  async function create(event: KubeObject): Promise<boolean> {
    try {
      await client.create(EVENTS, event, { timeoutSeconds: 10 });
      return true;
    } catch (error) {
      options.onDropped?.();
      log.warn({ err: error }, "event not written");
      return false;
    }
  }

  async function writeCount(series: Series): Promise<void> {
    if (series.count === series.writtenCount || !(await series.created)) return;
    const { count, lastSeenAt, name, namespace } = series;
    series.writtenCount = count;
    try {
      const patch = { series: { count, lastObservedTime: lastSeenAt } };
      await client.patch(EVENTS, { name, namespace }, patch, { timeoutSeconds: 10 });
    } catch (error) {
      // Events live for an hour: one that ran out takes its count with it.
      if (!isNotFound(error)) log.warn({ err: error }, "count of an event not written");
    }
  }

  function scheduleSweep(): void {
    cancelSweep ??= clock.setTimeout(() => {
      cancelSweep = undefined;
      for (const [key, series] of seriesByKey) {
        void track(writeCount(series));
        if (clock.monotonic() - series.lastSeen >= SERIES_MILLISECONDS) seriesByKey.delete(key);
      }
      if (seriesByKey.size > 0) scheduleSweep();
    }, COUNT_MILLISECONDS);
  }

  function makeRoom(): void {
    const oldest = seriesByKey.entries().next().value;
    if (seriesByKey.size < MAX_SERIES || oldest === undefined) return;
    seriesByKey.delete(oldest[0]);
    void track(writeCount(oldest[1]));
  }

  return {
    record,
    close: async () => {
      cancelSweep?.();
      for (const series of seriesByKey.values()) void track(writeCount(series));
      await Promise.all(inFlight);
    },
  };
}

/** The longest beginning of `text` that fits, cut between characters. */
function cutToBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const ellipsis = "…";
  const cut = Buffer.from(text)
    .subarray(0, maxBytes - Buffer.byteLength(ellipsis))
    .toString("utf8");
  return cut.replace(/\uFFFD+$/, "") + ellipsis;
}
