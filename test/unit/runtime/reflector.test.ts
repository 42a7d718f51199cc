import type { ServerResponse } from "node:http";
import { pino } from "pino";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { ApiResource, KubeObject } from "../../../charts/kubernetes.ts";
import { createClient } from "../../../operator/runtime/client.ts";
import { type Reflector, startReflector } from "../../../operator/runtime/reflector.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import {
  json,
  type ScriptedServer,
  type SeenRequest,
  startScriptedServer,
  status,
} from "./scripted-server.ts";

const pods: ApiResource = { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true };

function pod(
  name: string,
  resourceVersion: string,
  uid = `uid-${name}`,
  labels: Record<string, string> = {},
) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "ns",
      uid,
      resourceVersion,
      labels,
      managedFields: [{ manager: "kubelet" }],
    },
  };
}

/** A kube-apiserver's list and watch of pods, played by hand. */
interface Script {
  readonly clock: FakeClock;
  readonly server: ScriptedServer;
  readonly reflector: Reflector<KubeObject>;
  readonly changes: string[];
  readonly lists: SeenRequest[];
  readonly watches: SeenRequest[];
  /** What lists answer from now on. */
  listed:
    | { resourceVersion: string; items: KubeObject[] }
    | { code: number; reason: string; message: string };
  /** What the next watches answer with instead of an open stream. */
  watchError: { code: number; reason: string; message: string } | undefined;
  send(...events: { type: string; object: object }[]): void;
  stream(): ServerResponse;
  stop: AbortController;
}

let running: Script | undefined;
afterEach(async () => {
  running?.stop.abort();
  await running?.reflector.stopped;
  await running?.server.close();
  running = undefined;
});

async function start(items: KubeObject[], onChange?: () => void): Promise<Script> {
  const clock = createFakeClock();
  const changes: string[] = [];
  const lists: SeenRequest[] = [];
  const watches: SeenRequest[] = [];
  let stream: ServerResponse | undefined;
  const server = await startScriptedServer(clock, (request, response) => {
    if (request.query.get("watch") === "true") {
      watches.push(request);
      if (script.watchError !== undefined) {
        const { code, reason, message } = script.watchError;
        json(response, code, status(code, reason, message));
        return;
      }
      response.writeHead(200);
      response.flushHeaders();
      stream = response;
      return;
    }
    lists.push(request);
    if ("code" in script.listed) {
      const { code, reason, message } = script.listed;
      json(response, code, status(code, reason, message));
    } else {
      const { resourceVersion } = script.listed;
      json(response, 200, { metadata: { resourceVersion }, items: script.listed.items });
    }
  });
  const stop = new AbortController();
  const partial = { listed: { resourceVersion: "10", items }, watchError: undefined };
  const client = createClient(server.connection, {
    userAgent: "test",
    fieldManager: "test",
    clock,
    random: () => 0,
    maxAttempts: 1,
  });
  const script: Script = {
    ...partial,
    clock,
    server,
    changes,
    lists,
    watches,
    stop,
    stream: () => {
      if (stream === undefined) throw new Error("no watch is open");
      return stream;
    },
    send: (...events) => {
      for (const event of events) script.stream().write(`${JSON.stringify(event)}\n`);
    },
    get reflector() {
      return reflector;
    },
  };
  running = script;
  const reflector = startReflector<KubeObject>({
    client,
    resource: pods,
    transform: (object) => (object.metadata.labels?.drop === "yes" ? undefined : object),
    indexes: { app: (object) => [object.metadata.labels?.app ?? []].flat() },
    onChange: (old, current) => {
      const version = (object: KubeObject) => `${object.metadata.uid}@${object.metadata.resourceVersion}`;
      changes.push(`${old ? version(old) : "-"} > ${current ? version(current) : "-"}`);
      onChange?.();
    },
    clock,
    random: () => 0,
    log: pino({ level: "silent" }),
    signal: stop.signal,
  });
  return script;
}

async function startWatching(items: KubeObject[], onChange?: () => void): Promise<Script> {
  const script = await start(items, onChange);
  await script.reflector.synced;
  await vi.waitFor(() => script.stream());
  script.changes.length = 0;
  return script;
}

/** Lets the fake time that a retry waits pass until the condition holds. */
async function eventually(script: Script, condition: () => void): Promise<void> {
  await vi.waitFor(async () => {
    await script.clock.advance(1_000);
    condition();
  });
}

describe("following the server", () => {
  test("lists the present state, then watches from it with bookmarks", async () => {
    const script = await start([pod("a", "3")]);
    await script.reflector.synced;
    await vi.waitFor(() => script.stream());
    expect(script.lists[0]?.query.get("resourceVersion")).toBeNull();
    expect(script.lists[0]?.query.get("limit")).toBe("200");
    expect(Object.fromEntries(script.watches[0]?.query ?? [])).toEqual({
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: "10",
      timeoutSeconds: "300",
    });
    expect(script.changes).toEqual(["- > uid-a@3"]);
    expect(script.reflector.hasSynced()).toBe(true);
  });

  test("added, modified and deleted reach the cache and the handler; a deletion brings the final state", async () => {
    const script = await startWatching([pod("a", "3")]);
    script.send(
      { type: "ADDED", object: pod("b", "11") },
      { type: "MODIFIED", object: pod("a", "12") },
      { type: "DELETED", object: pod("a", "13") },
    );
    await vi.waitFor(() => expect(script.reflector.resourceVersion()).toBe("13"));
    expect(script.changes).toEqual(["- > uid-b@11", "uid-a@3 > uid-a@12", "uid-a@13 > -"]);
    expect(script.reflector.list().map((each) => each.metadata.name)).toEqual(["b"]);
  });

  test("managedFields never enter the cache", async () => {
    const script = await startWatching([pod("a", "3")]);
    expect(script.reflector.get({ namespace: "ns", name: "a" })?.metadata).not.toHaveProperty(
      "managedFields",
    );
  });

  test("indexes follow changes of the indexed value", async () => {
    const script = await startWatching([pod("a", "3", "uid-a", { app: "x" })]);
    script.send({ type: "MODIFIED", object: pod("a", "11", "uid-a", { app: "y" }) });
    await vi.waitFor(() => expect(script.reflector.byIndex("app", "y")).toHaveLength(1));
    expect(script.reflector.byIndex("app", "x")).toEqual([]);
  });

  test("a bookmark moves the version on without a change", async () => {
    const script = await startWatching([]);
    script.send({ type: "BOOKMARK", object: { kind: "Pod", metadata: { resourceVersion: "99" } } });
    await vi.waitFor(() => expect(script.reflector.resourceVersion()).toBe("99"));
    expect(script.changes).toEqual([]);
  });

  test("a watch that the server ends in good order is resumed where it ended", async () => {
    const script = await startWatching([]);
    script.send({ type: "ADDED", object: pod("a", "20") });
    await vi.waitFor(() => expect(script.changes).toHaveLength(1));
    script.stream().end();
    await eventually(script, () => expect(script.watches).toHaveLength(2));
    expect(script.watches[1]?.query.get("resourceVersion")).toBe("20");
    expect(script.lists).toHaveLength(1);
  });

  test("a handler that throws stops nothing", async () => {
    const script = await startWatching([], () => {
      throw new Error("handler bug");
    });
    script.send({ type: "ADDED", object: pod("a", "20") }, { type: "ADDED", object: pod("b", "21") });
    await vi.waitFor(() => expect(script.changes).toHaveLength(2));
    expect(script.reflector.size).toBe(2);
  });
});

describe("after a gap", () => {
  test("410 leads to a new list no older than what was seen; deletes are found by UID", async () => {
    const script = await startWatching([pod("gone", "3"), pod("same", "4"), pod("reborn", "5", "old-uid")]);
    script.listed = { resourceVersion: "50", items: [pod("same", "4"), pod("reborn", "40", "new-uid")] };
    const expired = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" };
    script.send({ type: "ERROR", object: expired });
    await eventually(script, () => expect(script.lists).toHaveLength(2));
    await vi.waitFor(() => expect(script.reflector.resourceVersion()).toBe("50"));
    expect(script.lists[1]?.query.get("resourceVersion")).toBe("10");
    expect(script.lists[1]?.query.get("resourceVersionMatch")).toBe("NotOlderThan");
    expect(script.changes).toEqual(["uid-gone@3 > -", "old-uid@5 > -", "- > new-uid@40"]);
  });

  test("an object replaced under its name in one event is a deletion and an addition", async () => {
    const script = await startWatching([pod("a", "3", "old-uid")]);
    script.send({ type: "MODIFIED", object: pod("a", "11", "new-uid") });
    await vi.waitFor(() => expect(script.changes).toEqual(["old-uid@3 > -", "- > new-uid@11"]));
  });

  test("a late deletion of a predecessor leaves its successor in the cache", async () => {
    const script = await startWatching([pod("a", "9", "new-uid")]);
    script.send(
      { type: "DELETED", object: pod("a", "11", "old-uid") },
      { type: "ADDED", object: pod("b", "12") },
    );
    await vi.waitFor(() => expect(script.reflector.resourceVersion()).toBe("12"));
    expect(script.reflector.get({ namespace: "ns", name: "a" })?.metadata.uid).toBe("new-uid");
  });

  test("a server that is behind the version asked for is asked for the present instead", async () => {
    const script = await startWatching([]);
    script.listed = { code: 504, reason: "Timeout", message: "Too large resource version: 10, current: 5" };
    script.reflector.relist("first");
    await eventually(script, () =>
      expect(script.reflector.lastError()).toMatch(/Too large resource version/),
    );
    script.listed = { resourceVersion: "5", items: [] };
    await eventually(script, () => expect(script.reflector.resourceVersion()).toBe("5"));
    expect(script.lists.at(-1)?.query.get("resourceVersion")).toBeNull();
  });

  test("a relist that was asked for is consistent, not merely recent", async () => {
    const script = await startWatching([pod("a", "3")]);
    script.listed = { resourceVersion: "60", items: [] };
    script.reflector.relist("own write unseen");
    await vi.waitFor(() => expect(script.changes).toEqual(["uid-a@3 > -"]));
    expect(script.lists[1]?.query.get("resourceVersion")).toBeNull();
  });
});

describe("faults", () => {
  test("a line cut off in the middle is asked for again, not skipped", async () => {
    const script = await startWatching([]);
    const line = JSON.stringify({ type: "ADDED", object: pod("a", "20") });
    script.stream().write(line.slice(0, 40));
    script.stream().end();
    await eventually(script, () => expect(script.watches).toHaveLength(2));
    expect(script.watches[1]?.query.get("resourceVersion")).toBe("10");
    script.send({ type: "ADDED", object: pod("a", "20") });
    await vi.waitFor(() => expect(script.changes).toEqual(["- > uid-a@20"]));
  });

  test("an error inside the stream is followed by a new watch from the last version", async () => {
    const script = await startWatching([]);
    script.send(
      { type: "ADDED", object: pod("a", "20") },
      {
        type: "ERROR",
        object: { kind: "Status", code: 500, reason: "InternalError", message: "etcd went away" },
      },
    );
    await vi.waitFor(() =>
      expect(script.reflector.lastError()).toMatch(/watch pods: 500 InternalError: etcd went away/),
    );
    await eventually(script, () => expect(script.watches).toHaveLength(2));
    expect(script.watches[1]?.query.get("resourceVersion")).toBe("20");
    expect(script.lists).toHaveLength(1);
  });

  test("events in another order than their versions' are not believed: the present is listed", async () => {
    const script = await startWatching([]);
    script.listed = { resourceVersion: "30", items: [pod("a", "25"), pod("b", "22")] };
    script.send({ type: "ADDED", object: pod("a", "25") }, { type: "ADDED", object: pod("a", "20") });
    await eventually(script, () => expect(script.lists).toHaveLength(2));
    expect(script.lists[1]?.query.get("resourceVersion")).toBe("25");
    await vi.waitFor(() => expect(script.changes).toEqual(["- > uid-a@25", "- > uid-b@22"]));
  });

  test("a frozen socket is given up after 150 s of silence, and not before", async () => {
    const script = await startWatching([]);
    await script.clock.advance(149_000);
    script.send({ type: "BOOKMARK", object: { kind: "Pod", metadata: { resourceVersion: "11" } } });
    await vi.waitFor(() => expect(script.reflector.resourceVersion()).toBe("11"));
    await script.clock.advance(149_000);
    expect(script.watches).toHaveLength(1);
    await script.clock.advance(1_000);
    await vi.waitFor(() => expect(script.reflector.lastError()).toMatch(/nothing was heard for 150 s/));
    await eventually(script, () => expect(script.watches).toHaveLength(2));
    expect(script.watches[1]?.query.get("resourceVersion")).toBe("11");
  });

  test("a server that refuses every watch is asked ever less often, down to once in 30 s and a jitter", async () => {
    const script = await startWatching([]);
    script.watchError = { code: 429, reason: "TooManyRequests", message: "slow down" };
    script.stream().destroy();
    for (let second = 0; second < 600; second += 1) {
      const before = script.watches.length;
      await script.clock.advance(1_000);
      if (script.reflector.state() === "watching") {
        await vi.waitFor(() => expect(script.watches.length).toBeGreaterThan(before));
        await vi.waitFor(() => expect(script.reflector.state()).toBe("failing"));
      }
    }
    expect(script.watches.length).toBeGreaterThan(15);
    expect(script.watches.length).toBeLessThan(35);
    script.watchError = undefined;
    await script.clock.advance(30_000);
    await vi.waitFor(() => expect(script.reflector.state()).toBe("watching"));
  });

  test("a list that is forbidden keeps the cache unsynced and says why", async () => {
    const script = await start([]);
    script.listed = { code: 403, reason: "Forbidden", message: "pods is forbidden" };
    await vi.waitFor(() => expect(script.reflector.lastError()).toMatch(/list pods: 403 Forbidden/));
    expect(script.reflector.hasSynced()).toBe(false);
    script.listed = { resourceVersion: "10", items: [] };
    await eventually(script, () => expect(script.reflector.hasSynced()).toBe(true));
  });

  test("stopping ends the watch, rejects who still waits, and resolves", async () => {
    const script = await startWatching([]);
    const closed = new Promise((resolve) => script.stream().on("close", resolve));
    script.stop.abort();
    await script.reflector.stopped;
    await closed;
    expect(script.reflector.state()).toBe("stopped");
    expect(script.clock.timers).toBe(0);
  });
});

test("an object that is of no use leaves the cache, and comes back when it is", async () => {
  const script = await startWatching([pod("a", "3")]);
  const useless = pod("a", "11", "uid-a", { drop: "yes" });
  script.send(
    { type: "MODIFIED", object: useless },
    { type: "ADDED", object: pod("b", "12", "uid-b", { drop: "yes" }) },
  );
  await vi.waitFor(() => expect(script.changes).toEqual(["uid-a@3 > -"]));
  script.send(
    { type: "MODIFIED", object: pod("a", "13") },
    { type: "DELETED", object: pod("a", "14", "uid-a", { drop: "yes" }) },
  );
  await vi.waitFor(() => expect(script.changes.slice(1)).toEqual(["- > uid-a@13", "uid-a@13 > -"]));
  expect(script.reflector.list()).toEqual([]);
});

describe("an API that is not served", () => {
  const notServed = {
    code: 404,
    reason: "NotFound",
    message: "the server could not find the requested resource",
  };

  test("is reported absent, counts as synced, and is looked for again after 30 seconds", async () => {
    const script = await start([]);
    script.listed = notServed;
    await script.reflector.synced;
    expect(script.reflector.state()).toBe("absent");
    await script.clock.advance(29_000);
    expect(script.lists).toHaveLength(1);
    script.listed = { resourceVersion: "70", items: [pod("a", "69")] };
    await script.clock.advance(1_000);
    await vi.waitFor(() => expect(script.reflector.state()).toBe("watching"));
    expect(script.changes).toEqual(["- > uid-a@69"]);
  });

  test("removed while watched, its objects are deleted from the cache", async () => {
    const script = await startWatching([pod("a", "3")]);
    script.listed = notServed;
    script.watchError = notServed;
    script.stream().end();
    await eventually(script, () => expect(script.reflector.state()).toBe("absent"));
    expect(script.changes).toEqual(["uid-a@3 > -"]);
  });
});
