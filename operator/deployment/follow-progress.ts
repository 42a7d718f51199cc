import type { Logger } from "pino";
import { serverContainer } from "../../charts/names.ts";
import type { Client } from "../runtime/client-api.ts";
import { type Clock, pause } from "../runtime/clock.ts";
import { isForbidden } from "../runtime/errors.ts";
import { createRateLimiter } from "../runtime/rate-limiter.ts";
import type { Store } from "../runtime/store.ts";
import { isReady, isTerminating } from "./groups.ts";
import { deploymentKeys } from "./keys.ts";
import type { Pod } from "./objects.ts";
import { type RankProgress, readProgress } from "./progress.ts";

export interface ProgressFollower {
  /** What the log of a starting rank said last; undefined for any other rank, and where logs can't be read. */
  of(pod: Pod): RankProgress | undefined;
}

export interface FollowOptions {
  /** With connections of its own: a kubelet that doesn't answer must hold up nothing else. */
  readonly client: Pick<Client, "log">;
  readonly pods: Pick<Store<Pod>, "list">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** A rank of the deployment has come further. */
  readonly onProgress: (deployment: string) => void;
}

const lookSeconds = 2;
/** Between two readings of the same log. */
const readingSeconds = 10;
/** Of all logs together: each reading is a request to a kubelet. */
const readingRate = { qps: 5, burst: 10 };
const answerSeconds = 5;
/** The kubelet sends the first bytes of these lines, not the last: the lines have to fit. */
const tail = { tailLines: 200, limitBytes: 256 * 1024 };
/** Somebody may grant the role later. */
const refusedSeconds = 600;

interface Reading {
  readonly at: number;
  readonly progress: RankProgress | undefined;
}

/**
 * Reads the logs of the ranks that start, and of no others, until the signal. What it knows is lost with the process: the
 * next one reads it again.
 */
export function followProgress(options: FollowOptions): ProgressFollower {
  const { client, pods, clock, log, signal, onProgress } = options;
  const limiter = createRateLimiter(clock, readingRate);
  const readings = new Map<string, Reading>();
  /** Namespaces whose logs may not be read, and when to try again. */
  const refused = new Map<string, number>();
  const busy = new Set<string>();

  function look(): void {
    const starting = pods.list().filter(isStarting);
    const keys = new Set(starting.map(containerKey));
    for (const key of readings.keys()) if (!keys.has(key)) readings.delete(key);
    const now = clock.monotonic();
    const due = starting
      .filter((pod) => !busy.has(containerKey(pod)) && lastRead(pod) + readingSeconds * 1000 <= now)
      .filter(({ metadata }) => (refused.get(metadata.namespace ?? "") ?? 0) <= now)
      .sort((a, b) => lastRead(a) - lastRead(b));
    for (const pod of due) {
      if (!limiter.tryTake()) return;
      void read(pod);
    }
  }

  const lastRead = (pod: Pod): number => readings.get(containerKey(pod))?.at ?? Number.NEGATIVE_INFINITY;

  async function read(pod: Pod): Promise<void> {
    const key = containerKey(pod);
    const { name, namespace = "" } = pod.metadata;
    const before = readings.get(key)?.progress;
    let progress = before;
    busy.add(key);
    try {
      const text = await client.log(
        { namespace, name },
        { ...tail, container: serverContainer, timeoutSeconds: answerSeconds, signal },
      );
      refused.delete(namespace);
      // A tail without a word of it: what was known still holds.
      progress = readProgress(text) ?? before;
    } catch (error) {
      if (signal.aborted) return;
      if (isForbidden(error)) refuse(namespace, error);
      else log.debug({ err: error, pod: name, namespace }, "this log can't be read now");
    } finally {
      busy.delete(key);
    }
    readings.set(key, { at: clock.monotonic(), progress });
    if (!isSame(progress, before)) for (const deployment of deploymentKeys(pod)) onProgress(deployment);
  }

  function refuse(namespace: string, error: Error): void {
    if (!refused.has(namespace))
      log.warn(
        { err: error, namespace },
        "logs may not be read in this namespace: no loading progress is shown there; to have it, bind the ClusterRole mimo-operator-logs to the operator",
      );
    refused.set(namespace, clock.monotonic() + refusedSeconds * 1000);
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      look();
      await pause(clock, lookSeconds * 1000, signal);
    }
  }
  void run();

  return { of: (pod) => readings.get(containerKey(pod))?.progress };
}

/** A container that was restarted starts again. */
const containerKey = (pod: Pod): string => `${pod.metadata.uid}/${server(pod)?.restartCount ?? 0}`;

const server = ({ status }: Pod) => status?.containerStatuses?.find(({ name }) => name === serverContainer);

/** Its server runs and has not yet passed its startup probe. One that is only busy is not Ready either. */
function isStarting(pod: Pod): boolean {
  const { state, started } = server(pod) ?? {};
  return state?.running !== undefined && started !== true && !isReady(pod) && !isTerminating(pod);
}

function isSame(a: RankProgress | undefined, b: RankProgress | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
