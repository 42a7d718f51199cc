import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { KubeObject } from "../../charts/kubernetes.ts";
import type { Clock } from "./clock.ts";
import type { ReconcileObserver } from "./controller.ts";
import { resourceName } from "./paths.ts";
import type { Reflector } from "./reflector.ts";
import type { RequestObservation } from "./request.ts";
import type { WorkQueue, WorkQueueObserver } from "./workqueue.ts";

/** Metrics under the names controller-runtime and client-go use, so that stock dashboards and alerts work. */
export interface Metrics {
  readonly registry: Registry;
  readonly reconcileObserver: (controller: string, workers: number) => ReconcileObserver;
  readonly queueObserver: (name: string) => WorkQueueObserver;
  /** Depth and ages are read from the queue when scraped. */
  readonly watchQueue: (name: string, queue: WorkQueue) => void;
  /** Staleness and size are read from the cache when scraped. */
  readonly watchReflector: (reflector: Reflector<KubeObject>) => void;
  readonly onRequest: (observation: RequestObservation) => void;
  readonly setLeader: (name: string, leading: boolean) => void;
  readonly eventDropped: () => void;
}

const RECONCILE_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const QUEUE_BUCKETS = [1e-4, 1e-3, 1e-2, 0.1, 1, 10, 60, 300];

export function createMetrics(clock: Clock, apiServerHost: string): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const counter = (name: string, help: string, labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string, labelNames: string[]) =>
    new Gauge({ name, help, labelNames, registers });
  const histogram = (name: string, help: string, labelNames: string[], buckets: number[]) =>
    new Histogram({ name, help, labelNames, buckets, registers });

  const reconciles = counter("controller_runtime_reconcile_total", "Reconciles by result", [
    "controller",
    "result",
  ]);
  const errors = counter("controller_runtime_reconcile_errors_total", "Reconciles that failed", [
    "controller",
  ]);
  const reconcileSeconds = histogram(
    "controller_runtime_reconcile_time_seconds",
    "Time of a reconcile",
    ["controller"],
    RECONCILE_BUCKETS,
  );
  const maxWorkers = gauge("controller_runtime_max_concurrent_reconciles", "Workers", ["controller"]);
  const activeWorkers = gauge("controller_runtime_active_workers", "Workers that are busy", ["controller"]);

  const queueLabels = ["name", "controller"];
  const adds = counter("workqueue_adds_total", "Keys added", queueLabels);
  const retries = counter("workqueue_retries_total", "Keys added again after a failure", queueLabels);
  const waited = histogram(
    "workqueue_queue_duration_seconds",
    "Time a key waited for a worker",
    queueLabels,
    QUEUE_BUCKETS,
  );
  const worked = histogram(
    "workqueue_work_duration_seconds",
    "Time a key was worked on",
    queueLabels,
    QUEUE_BUCKETS,
  );
  const queues = new Map<string, WorkQueue>();
  const eachQueue = (measure: Gauge, read: (queue: WorkQueue) => number) => {
    for (const [name, queue] of queues) measure.set({ name, controller: name }, read(queue));
  };
  new Gauge({
    name: "workqueue_depth",
    help: "Keys waiting for a worker",
    labelNames: queueLabels,
    registers,
    collect() {
      eachQueue(this, (queue) => queue.length);
    },
  });
  new Gauge({
    name: "workqueue_unfinished_work_seconds",
    help: "Sum of the ages of the work in progress; a growing value means stuck workers",
    labelNames: queueLabels,
    registers,
    collect() {
      eachQueue(this, (queue) => queue.inWorkSeconds().reduce((sum, seconds) => sum + seconds, 0));
    },
  });
  new Gauge({
    name: "workqueue_longest_running_processor_seconds",
    help: "Age of the oldest work in progress",
    labelNames: queueLabels,
    registers,
    collect() {
      eachQueue(this, (queue) => Math.max(0, ...queue.inWorkSeconds()));
    },
  });

  const requests = counter("rest_client_requests_total", "API requests", ["code", "method", "host"]);
  const requestSeconds = histogram(
    "rest_client_request_duration_seconds",
    "Time until the API server's answer began",
    ["verb", "host"],
    RECONCILE_BUCKETS,
  );
  const leader = gauge("leader_election_master_status", "1 while this process leads", ["name"]);
  const dropped = counter("event_recorder_dropped_total", "Events that could not be written", []);

  const reflectors: Reflector<KubeObject>[] = [];
  const eachReflector = (measure: Gauge, read: (reflector: Reflector<KubeObject>) => number) => {
    for (const reflector of reflectors)
      measure.set(
        { resource: resourceName(reflector.resource), namespace: reflector.namespace ?? "" },
        read(reflector),
      );
  };
  new Gauge({
    name: "reflector_stale_seconds",
    help: "Time since the API server last proved the cache current by a list, an event or a bookmark",
    labelNames: ["resource", "namespace"],
    registers,
    collect() {
      eachReflector(this, (reflector) => (clock.monotonic() - (reflector.lastEventAt() ?? 0)) / 1000);
    },
  });
  new Gauge({
    name: "reflector_objects",
    help: "Objects in the cache",
    labelNames: ["resource", "namespace"],
    registers,
    collect() {
      eachReflector(this, (reflector) => reflector.size);
    },
  });
  new Gauge({
    name: "reflector_lists",
    help: "Full lists since the start; a growing value means watches that can't be resumed",
    labelNames: ["resource", "namespace"],
    registers,
    collect() {
      eachReflector(this, (reflector) => reflector.lists());
    },
  });

  return {
    registry,
    reconcileObserver: (controller, workers) => {
      maxWorkers.set({ controller }, workers);
      errors.inc({ controller }, 0);
      // A series that begins with its first event would hide that event from rate().
      for (const result of ["success", "error", "requeue_after"]) reconciles.inc({ controller, result }, 0);
      return {
        started: () => activeWorkers.inc({ controller }),
        finished: (result, seconds) => {
          activeWorkers.dec({ controller });
          reconciles.inc({ controller, result });
          reconcileSeconds.observe({ controller }, seconds);
          if (result === "error") errors.inc({ controller });
        },
      };
    },
    queueObserver: (name) => {
      const labels = { name, controller: name };
      return {
        added: () => adds.inc(labels),
        taken: (seconds) => waited.observe(labels, seconds),
        finished: (seconds) => worked.observe(labels, seconds),
        retried: () => retries.inc(labels),
      };
    },
    watchQueue: (name, queue) => {
      queues.set(name, queue);
    },
    watchReflector: (reflector) => {
      reflectors.push(reflector);
    },
    onRequest: ({ verb, code, method, seconds }) => {
      requests.inc({ code, method, host: apiServerHost });
      requestSeconds.observe({ verb, host: apiServerHost }, seconds);
    },
    setLeader: (name, leading) => leader.set({ name }, leading ? 1 : 0),
    eventDropped: () => dropped.inc(),
  };
}
