import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { leaseName } from "../charts/access.ts";
import { createAnnouncer } from "./deployment/announce.ts";
import { type Caches, startCaches } from "./deployment/caches.ts";
import { ensureDefaultPlatform } from "./deployment/default-platform.ts";
import { followProgress } from "./deployment/follow-progress.ts";
import { keyOf } from "./deployment/keys.ts";
import { createDeploymentMetrics } from "./deployment/metrics.ts";
import { updateStanding } from "./deployment/observe.ts";
import { createReconciler } from "./deployment/reconcile.ts";
import { createWave } from "./deployment/wave.ts";
import { parseOptions } from "./options.ts";
import { createClient } from "./runtime/client.ts";
import { systemClock as clock } from "./runtime/clock.ts";
import { type Connection, createConnection } from "./runtime/connection.ts";
import { createOwnWrites } from "./runtime/consistency.ts";
import { runController } from "./runtime/controller.ts";
import { loadKubeConfig } from "./runtime/credentials.ts";
import { runElection } from "./runtime/elector.ts";
import { createEventRecorder } from "./runtime/events.ts";
import { startHealthServer } from "./runtime/health.ts";
import { createLog } from "./runtime/log.ts";
import { createMetrics } from "./runtime/metrics.ts";
import { createRateLimiter } from "./runtime/rate-limiter.ts";
import type { WriteGate } from "./runtime/request.ts";
import { createWorkQueue } from "./runtime/workqueue.ts";

const controllerName = "mimodeployment";
/** Kept below a pod's usual 30 s of grace. */
const drainSeconds = 20;
/**
 * Far above what a converged cluster needs; bounds what a mistake could do to the API server. A new deployment takes about 11
 * requests, so that this is about 45 deployments a second, more than a small control plane can make.
 */
const requestRate = { qps: 500, burst: 1000 };
/** Bookmarks come about once a minute: a cache without any sign for this long is stale. */
const staleCacheSeconds = 180;
/** A cache that hasn't shown one of our writes for so long is listed again. */
const ownWriteExpirySeconds = 30;

const options = parseOptions(process.argv.slice(2), randomUUID());
const log = createLog(options.logLevel);
const random = Math.random;
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const)
  process.once(signal, () => stop.abort(new Error(signal)));

const connection = connect();
const metrics = createMetrics(clock, connection.server.host);
const limiter = createRateLimiter(clock, requestRate);
const clientOptions = {
  userAgent: "mimo-operator",
  fieldManager: "mimo-operator",
  clock,
  random,
  onRequest: metrics.onRequest,
};
const queue = createWorkQueue({
  clock,
  random,
  backoff: { baseSeconds: 0.005, maxSeconds: 60, jitter: 0.2 },
  observer: metrics.queueObserver(controllerName),
});
metrics.watchQueue(controllerName, queue);

// Caches outlive a graceful stop, since draining reconciles read them.
const closing = new AbortController();
const caches = startCaches({
  client: createClient(connection, { ...clientOptions, limiter }),
  clock,
  random,
  log,
  signal: closing.signal,
  namespaces: options.namespaces,
  // What the first lists bring is looked at, but nobody waits for it.
  onDeployment: (key) => queue.add(key, isFilled(caches) ? "user" : "resync"),
  onPlatform: () => {
    for (const key of allKeys()) queue.add(key, "resync");
  },
  onWave: () => {
    for (const key of wave.next()) queue.add(key);
  },
});
const wave = createWave(() => updateStanding(caches));
for (const cache of caches.all) metrics.watchReflector(cache);
let leading = false;
const deploymentMetrics = createDeploymentMetrics({
  registry: metrics.registry,
  deployments: caches.deployments,
  isLeading: () => leading,
  clock,
});
metrics.setLeader(leaseName, false);

const health = await startHealthServer({
  ...options.listen,
  registry: metrics.registry,
  live: {},
  ready: { caches: () => staleCaches(caches) },
});
log.info({ server: connection.server.href, port: health.port }, "started");

let working: Promise<void> = Promise.resolve();
const standing = new AbortController();
stop.signal.addEventListener("abort", () => void working.finally(() => standing.abort()));
const end = await runElection({
  client: createClient(connection, { ...clientOptions, pool: "lease", maxAttempts: 1 }),
  lease: { namespace: options.leaseNamespace, name: leaseName },
  identity: options.identity,
  clock,
  random,
  log,
  signal: standing.signal,
  onStartedLeading: (gate) => {
    leading = true;
    metrics.setLeader(leaseName, true);
    working = lead(gate);
  },
  onStoppedLeading: () => {
    leading = false;
    metrics.setLeader(leaseName, false);
  },
});
await working;
closing.abort();
await health.close();
await connection.close();
log.info(end, "stopped");
// A new process starts with empty caches: nothing of a lost term can leak into the next.
process.exit(end.kind === "released" ? 0 : 1);

function connect(): Connection {
  try {
    return createConnection(loadKubeConfig, clock);
  } catch (error) {
    process.stderr.write(`mimo-operator: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}

async function lead(gate: WriteGate): Promise<void> {
  const client = createClient(connection, { ...clientOptions, limiter, gate });
  const events = createEventRecorder({
    client,
    reportingController: "mimo.dev/operator",
    reportingInstance: options.identity,
    clock,
    random,
    log,
    onDropped: metrics.eventDropped,
  });
  const synced = Promise.all(caches.all.map((cache) => cache.synced));
  const interrupted = AbortSignal.any([stop.signal, gate.signal]);
  if (!interrupted.aborted) await Promise.race([synced, once(interrupted, "abort")]);
  if (interrupted.aborted) return;
  // With a part of the cluster alone, the platform is its administrator's.
  if (options.namespaces === undefined)
    await ensureDefaultPlatform({ client, platforms: caches.platforms, log, signal: interrupted });
  const progress = followProgress({
    client: createClient(connection, { ...clientOptions, limiter, pool: "watches", maxAttempts: 1 }),
    pods: caches.pods,
    clock,
    log,
    signal: interrupted,
    onProgress: (key) => queue.add(key),
  });
  await runController({
    queue,
    workers: options.workers,
    reconcile: createReconciler({
      client,
      caches,
      progress,
      ownWrites: createOwnWrites({ clock, cacheOf: caches.cacheOf, expirySeconds: ownWriteExpirySeconds }),
      clock,
      announcer: createAnnouncer(events),
      wave,
      metrics: deploymentMetrics,
    }),
    resync: { periodSeconds: options.resyncSeconds, keys: allKeys },
    clock,
    random,
    log,
    observer: metrics.reconcileObserver(controllerName, options.workers),
    stop: stop.signal,
    drainSeconds,
    abort: gate.signal,
  });
  await events.close();
}

function* allKeys(): Iterable<string> {
  for (const { metadata } of caches.deployments.list()) yield keyOf(metadata.namespace, metadata.name);
}

function isFilled({ all }: Caches): boolean {
  return all.every((cache) => cache.hasSynced());
}

/** Caches that can't be trusted to show the cluster as it is. */
function staleCaches({ all }: Caches): string | undefined {
  const oldest = clock.monotonic() - staleCacheSeconds * 1000;
  const stale = all.filter(
    (cache) => !cache.hasSynced() || (cache.state() !== "absent" && (cache.lastEventAt() ?? 0) < oldest),
  );
  if (stale.length === 0) return undefined;
  return stale
    .map((cache) => `${cache.resource.plural}: ${cache.lastError() ?? "nothing heard yet"}`)
    .join("; ");
}
