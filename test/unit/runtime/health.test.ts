import { afterEach, expect, test } from "vitest";
import { type HealthServer, startHealthServer } from "../../../operator/runtime/health.ts";
import { createMetrics } from "../../../operator/runtime/metrics.ts";
import { createWorkQueue } from "../../../operator/runtime/workqueue.ts";
import { createFakeClock } from "./fake-clock.ts";

let server: HealthServer | undefined;
afterEach(() => server?.close());

async function get(path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${server?.port}${path}`);
  return { status: response.status, text: await response.text() };
}

test("readiness fails with the name and reason of what is not ready, liveness stays", async () => {
  let problem: string | undefined = "pods: list pods: 403 Forbidden";
  const { registry } = createMetrics(createFakeClock(), "127.0.0.1");
  const checks = { live: {}, ready: { caches: () => problem, config: () => undefined } };
  server = await startHealthServer({ host: "127.0.0.1", port: 0, registry, ...checks });
  expect(await get("/readyz")).toEqual({
    status: 500,
    text: "[-] caches: pods: list pods: 403 Forbidden\n[+] config ok\nfailed\n",
  });
  expect((await get("/healthz")).status).toBe(200);
  problem = undefined;
  expect((await get("/readyz?verbose")).status).toBe(200);
  expect((await get("/other")).status).toBe(404);
});

test("metrics carry the names that stock dashboards ask for", async () => {
  const clock = createFakeClock();
  const metrics = createMetrics(clock, "10.0.0.1:443");
  const backoff = { baseSeconds: 1, maxSeconds: 1, jitter: 0 };
  const queue = createWorkQueue({ clock, random: () => 0, backoff, observer: metrics.queueObserver("mimo") });
  metrics.watchQueue("mimo", queue);
  metrics.setLeader("mimo", true);
  const reconciles = metrics.reconcileObserver("mimo", 4);
  metrics.onRequest({ verb: "list", resource: "pods", method: "GET", code: "200", seconds: 0.01 });
  for (const key of ["a", "b", "c"]) queue.add(key);
  await queue.take();
  await clock.advance(3_000);
  reconciles.started();
  reconciles.finished("error", 0.2);
  server = await startHealthServer({
    host: "127.0.0.1",
    port: 0,
    live: {},
    ready: {},
    registry: metrics.registry,
  });

  const { text } = await get("/metrics");
  for (const line of [
    'controller_runtime_reconcile_total{controller="mimo",result="error"} 1',
    'controller_runtime_reconcile_errors_total{controller="mimo"} 1',
    'controller_runtime_reconcile_time_seconds_count{controller="mimo"} 1',
    'controller_runtime_max_concurrent_reconciles{controller="mimo"} 4',
    'controller_runtime_active_workers{controller="mimo"} 0',
    'workqueue_depth{name="mimo",controller="mimo"} 2',
    'workqueue_adds_total{name="mimo",controller="mimo"} 3',
    'workqueue_longest_running_processor_seconds{name="mimo",controller="mimo"} 3',
    'rest_client_requests_total{code="200",method="GET",host="10.0.0.1:443"} 1',
    'leader_election_master_status{name="mimo"} 1',
  ]) {
    expect(text).toContain(line);
  }
});

test("a port in use is reported with host and port", async () => {
  const { registry } = createMetrics(createFakeClock(), "127.0.0.1");
  const options = { host: "127.0.0.1", live: {}, ready: {}, registry };
  server = await startHealthServer({ ...options, port: 0 });
  await expect(startHealthServer({ ...options, port: server.port })).rejects.toThrow(
    `can't serve health on 127.0.0.1:${server.port}`,
  );
});
