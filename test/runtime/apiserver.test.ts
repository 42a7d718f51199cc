import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { ApiResource, KubeObject } from "../../charts/kubernetes.ts";
import { createClient } from "../../operator/runtime/client.ts";
import type { Client } from "../../operator/runtime/client-api.ts";
import { systemClock as clock } from "../../operator/runtime/clock.ts";
import { type Connection, createConnection } from "../../operator/runtime/connection.ts";
import { createOwnWrites } from "../../operator/runtime/consistency.ts";
import { type ElectionEnd, runElection } from "../../operator/runtime/elector.ts";
import {
  isAlreadyExists,
  isConflict,
  isInvalid,
  isNotFound,
  NotLeaderError,
} from "../../operator/runtime/errors.ts";
import { createEventRecorder, EVENTS } from "../../operator/runtime/events.ts";
import { type Reflector, startReflector } from "../../operator/runtime/reflector.ts";
import type { WriteGate } from "../../operator/runtime/request.ts";
import { bootControlPlane, type ControlPlane } from "../controlplane/boot.ts";

const namespace = "default";
const configMaps: ApiResource = {
  group: "",
  version: "v1",
  plural: "configmaps",
  kind: "ConfigMap",
  namespaced: true,
};
const statefulSets: ApiResource = {
  group: "apps",
  version: "v1",
  plural: "statefulsets",
  kind: "StatefulSet",
  namespaced: true,
};
const computeDomains: ApiResource = {
  group: "resource.nvidia.com",
  version: "v1beta1",
  plural: "computedomains",
  kind: "ComputeDomain",
  namespaced: true,
};
const log = pino({ level: "silent" });
const random = Math.random;

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

let directory: string;
let controlPlane: ControlPlane;
let connection: Connection;
let client: Client;

// The first run on a machine builds the binaries.
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mimo-runtime-"));
  controlPlane = await bootControlPlane({
    directory,
    audit: false,
    controllerManager: false,
    scheduler: false,
  });
  const load = () => {
    const config = new KubeConfig();
    config.loadFromFile(controlPlane.kubeconfig);
    return config;
  };
  connection = createConnection(load, clock);
  client = createClient(connection, {
    userAgent: "runtime-test",
    fieldManager: "runtime-test",
    clock,
    random,
  });
}, 30 * 60_000);

afterAll(async () => {
  await connection?.close();
  await controlPlane?.stop();
  await rm(directory, { recursive: true, force: true });
});

function configMap(
  name: string,
  data: Record<string, string>,
  labels: Record<string, string> = {},
): ConfigMap {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace, labels }, data };
}

describe("client", () => {
  test("creates, reads, applies, patches, replaces and deletes", async () => {
    const ref = { name: "life", namespace };
    const created = await client.create(configMaps, configMap("life", { a: "1" }));
    expect(created).not.toHaveProperty("data");
    expect(
      isAlreadyExists(await client.create(configMaps, configMap("life", {})).catch((error) => error)),
    ).toBe(true);
    await client.apply(configMaps, configMap("life", { b: "2" }));
    expect((await client.get<ConfigMap>(configMaps, ref)).data).toEqual({ a: "1", b: "2" });
    await client.patch(configMaps, ref, [{ op: "replace", path: "/data/a", value: "3" }]);
    await client.patch(configMaps, ref, { data: { b: null } });
    const current = await client.get<ConfigMap>(configMaps, ref);
    expect(current.data).toEqual({ a: "3" });
    const stale = { ...configMap("life", {}), metadata: created.metadata };
    expect(isConflict(await client.update(configMaps, stale).catch((error) => error))).toBe(true);
    await client.update(configMaps, { ...current, data: { c: "4" } } as ConfigMap, { dryRun: true });
    expect((await client.get<ConfigMap>(configMaps, ref)).data).toEqual({ a: "3" });

    const foreign = { preconditions: { uid: "00000000-0000-0000-0000-000000000000" } };
    const refused = await client.delete(configMaps, ref, foreign).catch((error) => error);
    expect(isConflict(refused)).toBe(true);
    await client.delete(configMaps, ref, { preconditions: { uid: created.metadata.uid ?? "" } });
    const gone = await client.get(configMaps, ref).catch((error) => error);
    expect(isNotFound(gone)).toBe(true);
    expect(String(gone)).toBe(
      'ApiError: get configmaps default/life: 404 NotFound: configmaps "life" not found',
    );
  });

  test("an invalid object is refused with the field in the message", async () => {
    const spec = { replicas: -1, serviceName: "x", selector: { matchLabels: { a: "b" } } };
    const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } };
    const bad = { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "bad", namespace } };
    const error = await client
      .apply(statefulSets, { ...bad, spec: { ...spec, template } } as KubeObject)
      .catch((e) => e);
    expect(isInvalid(error)).toBe(true);
    expect(String(error)).toMatch(/apply statefulsets\.apps default\/bad: 422 Invalid: .*spec\.replicas/);
  });

  test("discovers what is served and what is not", async () => {
    expect(await client.discover("apps/v1")).toContain("statefulsets");
    expect(await client.discover("v1")).toContain("pods");
    expect((await client.discover("resource.nvidia.com/v1beta1")).size).toBe(0);
  });
});

describe("reflector", () => {
  function reflect(resource: ApiResource, changes: string[], signal: AbortSignal): Reflector<ConfigMap> {
    return startReflector<ConfigMap>({
      client,
      resource,
      namespace,
      labelSelector: "watched=yes",
      transform: (object) => object,
      onChange: (old, current) => changes.push(`${old?.data?.v ?? "-"} > ${current?.data?.v ?? "-"}`),
      clock,
      random,
      log,
      signal,
    });
  }

  test("follows creates, changes, deletions and recreations, and shows a process its own writes", async () => {
    const stop = new AbortController();
    const changes: string[] = [];
    const labels = { watched: "yes" };
    await client.create(configMaps, configMap("before", { v: "1" }, labels));
    const reflector = reflect(configMaps, changes, stop.signal);
    const ownWrites = createOwnWrites({ clock, cacheOf: () => reflector, expirySeconds: 30 });
    await reflector.synced;
    const made = await client.create(configMaps, configMap("own", { v: "2" }, labels));
    ownWrites.wrote("key", configMaps, made);
    await vi.waitFor(() => expect(ownWrites.unseen("key")).toBeUndefined());
    expect(reflector.get({ name: "own", namespace })?.metadata.uid).toBe(made.metadata.uid);
    await client.apply(configMaps, configMap("before", { v: "3" }, labels));
    await client.delete(configMaps, { name: "own", namespace });
    await client.create(configMaps, configMap("own", { v: "4" }, labels));
    await vi.waitFor(() => expect(changes).toEqual(["- > 1", "- > 2", "1 > 3", "2 > -", "- > 4"]));
    stop.abort();
    await reflector.stopped;
  });

  test("more objects than one page holds arrive complete", async () => {
    const labels = { watched: "yes", bulk: "yes" };
    const names = Array.from({ length: 620 }, (_, index) => `bulk-${index}`);
    await Promise.all(names.map((name) => client.create(configMaps, configMap(name, {}, labels))));
    const stop = new AbortController();
    const reflector = reflect(configMaps, [], stop.signal);
    await reflector.synced;
    expect(reflector.list().filter((each) => each.metadata.name?.startsWith("bulk-"))).toHaveLength(620);
    stop.abort();
    await reflector.stopped;
  });

  test("an API that is not installed is absent, and no failure", async () => {
    const stop = new AbortController();
    const reflector = reflect(computeDomains, [], stop.signal);
    await reflector.synced;
    expect(reflector.state()).toBe("absent");
    expect(reflector.lastError()).toBeUndefined();
    stop.abort();
    await reflector.stopped;
  });
});

describe("leader election", () => {
  test("one leads; after its release the other does; the first can't write any more", async () => {
    const lease = { name: "mimo-operator", namespace };
    const timing = { leaseSeconds: 3, renewDeadlineSeconds: 2, retrySeconds: 0.3 };
    const contend = (identity: string) => {
      const stop = new AbortController();
      const leading = Promise.withResolvers<WriteGate>();
      const elector = createClient(connection, {
        userAgent: identity,
        fieldManager: identity,
        clock,
        random,
        pool: "lease",
        maxAttempts: 1,
      });
      const end: Promise<ElectionEnd> = runElection({
        client: elector,
        lease,
        identity,
        clock,
        random,
        log,
        signal: stop.signal,
        timing,
        onStartedLeading: leading.resolve,
        onStoppedLeading: () => undefined,
      });
      return { stop, end, leading: leading.promise };
    };
    const first = contend("first");
    const gate = await first.leading;
    const second = contend("second");
    const writer = createClient(connection, {
      userAgent: "first",
      fieldManager: "first",
      clock,
      random,
      gate,
    });
    await writer.apply(configMaps, configMap("by-leader", {}));
    first.stop.abort();
    expect(await first.end).toEqual({ kind: "released" });
    expect((await second.leading).held()).toBe(true);
    await expect(writer.apply(configMaps, configMap("by-leader", {}))).rejects.toBeInstanceOf(NotLeaderError);
    second.stop.abort();
    await second.end;
  });
});

test("events and their counts are accepted", async () => {
  const made = configMap("eventful", {});
  const { metadata } = await client.create(configMaps, made);
  const regarding = { ...made, metadata };
  const failures: unknown[] = [];
  const recorder = createEventRecorder({
    client,
    reportingController: "mimo.dev/operator",
    reportingInstance: "test-1",
    clock,
    random,
    log,
    onDropped: () => failures.push("dropped"),
  });
  const content = {
    type: "Warning",
    reason: "RankLost",
    action: "RebuildGroup",
    note: "rank 1 is gone",
  } as const;
  for (let i = 0; i < 3; i += 1) recorder.record(regarding, content);
  await recorder.close();
  expect(failures).toEqual([]);
  const { items } = await client.list<KubeObject & { reason?: string }>(EVENTS, { namespace });
  expect(items.find((event) => event.reason === "RankLost")).toMatchObject({
    note: "rank 1 is gone",
    regarding: { kind: "ConfigMap", name: "eventful" },
    series: { count: 3 },
  });
});
