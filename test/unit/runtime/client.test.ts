import { afterEach, describe, expect, test } from "vitest";
import type { ApiResource, KubeObject } from "../../../charts/kubernetes.ts";
import { createClient } from "../../../operator/runtime/client.ts";
import type { Client } from "../../../operator/runtime/client-api.ts";
import { ApiError, isConflict, NotLeaderError, TransportError } from "../../../operator/runtime/errors.ts";
import type { RequestObservation, WriteGate } from "../../../operator/runtime/request.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import { type Answer, json, type ScriptedServer, startScriptedServer, status } from "./scripted-server.ts";

const statefulSets: ApiResource = {
  group: "apps",
  version: "v1",
  plural: "statefulsets",
  kind: "StatefulSet",
  namespaced: true,
};
const pro: KubeObject = {
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { name: "pro-0", namespace: "team-a" },
};
const ref = { name: "pro-0", namespace: "team-a" };

let server: ScriptedServer | undefined;
afterEach(() => server?.close());

interface SetUp {
  readonly clock: FakeClock;
  readonly client: Client;
  readonly seen: ScriptedServer["seen"];
  readonly observed: RequestObservation[];
}

async function setUp(answer: Answer, extra: { gate?: WriteGate } = {}): Promise<SetUp> {
  const clock = createFakeClock();
  server = await startScriptedServer(clock, answer);
  const observed: RequestObservation[] = [];
  const client = createClient(server.connection, {
    userAgent: "mimo-test",
    fieldManager: "mimo",
    clock,
    random: () => 0,
    onRequest: (each) => observed.push(each),
    ...extra,
  });
  return { clock, client, seen: server.seen, observed };
}

/** Answers with each of these in turn, then with the last. */
function inTurn(...answers: Answer[]): Answer {
  let next = 0;
  return (request, response, socket) => {
    answers[Math.min(next, answers.length - 1)]?.(request, response, socket);
    next += 1;
  };
}

const accept: Answer = (_, response) =>
  json(response, 200, { ...pro, metadata: { ...pro.metadata, uid: "u1" } });
const reset: Answer = (_request, _response, socket) => socket.resetAndDestroy();

/** Moves time on until the call ends: waits between retries run on the fake clock. */
async function finish<T>(clock: FakeClock, call: Promise<T>): Promise<T> {
  let over = false;
  const settled = call.finally(() => {
    over = true;
  });
  settled.catch(() => undefined);
  while (!over) await clock.advance(100);
  return settled;
}

test("apply sends a forced server-side apply with the field manager and the user's credentials", async () => {
  const { client, seen } = await setUp(accept);
  const applied = await client.apply(statefulSets, pro, { subresource: "status", dryRun: true });
  expect(applied.metadata.uid).toBe("u1");
  expect(seen[0]).toMatchObject({
    method: "PATCH",
    path: "/apis/apps/v1/namespaces/team-a/statefulsets/pro-0/status",
    body: JSON.stringify(pro),
  });
  expect(Object.fromEntries(seen[0]?.query ?? [])).toEqual({
    fieldManager: "mimo",
    dryRun: "All",
    force: "true",
  });
  expect(seen[0]?.headers).toMatchObject({
    "content-type": "application/apply-patch+yaml",
    authorization: "Bearer secret-token",
    "user-agent": "mimo-test",
  });
});

test("a patch is a JSON patch when it is an array and a merge patch when it is an object", async () => {
  const { client, seen } = await setUp(accept);
  await client.patch(statefulSets, ref, [{ op: "remove", path: "/spec" }]);
  await client.patch(statefulSets, ref, { spec: null });
  expect(seen.map((each) => each.headers["content-type"])).toEqual([
    "application/json-patch+json",
    "application/merge-patch+json",
  ]);
});

test("a delete carries its preconditions", async () => {
  const { client, seen } = await setUp(accept);
  await client.delete(statefulSets, ref, { preconditions: { uid: "u1" }, propagationPolicy: "Foreground" });
  expect(JSON.parse(seen[0]?.body ?? "")).toMatchObject({
    preconditions: { uid: "u1" },
    propagationPolicy: "Foreground",
  });
});

test("a list gives its items the apiVersion and kind the server leaves out", async () => {
  const { client } = await setUp((_, response) =>
    json(response, 200, { metadata: { resourceVersion: "9" }, items: [{ metadata: { name: "a" } }] }),
  );
  const { items, metadata } = await client.list(statefulSets, { labelSelector: "app=x" });
  expect(items).toEqual([{ apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "a" } }]);
  expect(metadata.resourceVersion).toBe("9");
});

test("discovery names what a group version serves, and is empty when it is not served", async () => {
  const { client } = await setUp((request, response) =>
    request.path === "/apis/apps/v1"
      ? json(response, 200, { resources: [{ name: "statefulsets" }, { name: "statefulsets/status" }] })
      : json(response, 404, status(404, "NotFound", "the server could not find the requested resource")),
  );
  expect([...(await client.discover("apps/v1"))]).toEqual(["statefulsets"]);
  expect((await client.discover("resource.nvidia.com/v1beta1")).size).toBe(0);
});

describe("errors", () => {
  test("an API error names verb, resource, object, code and reason", async () => {
    const { client } = await setUp((_, response) =>
      json(response, 409, status(409, "Conflict", "the object has been modified")),
    );
    const error = await client.update(statefulSets, pro).catch((caught: unknown) => caught);
    expect(isConflict(error)).toBe(true);
    expect(error).toMatchObject({
      message: "update statefulsets.apps team-a/pro-0: 409 Conflict: the object has been modified",
    });
  });

  test("an answer from a proxy that is no Status still says what it was", async () => {
    const { client } = await setUp((_, response) => {
      response.writeHead(502);
      response.end("bad gateway");
    });
    await expect(client.get(statefulSets, ref)).rejects.toThrow(
      "get statefulsets.apps team-a/pro-0: 502 : bad gateway",
    );
  });

  test("a connection that is lost says verb, path and what happened", async () => {
    const { client, clock } = await setUp(reset);
    const error = await finish(clock, client.create(statefulSets, pro)).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(TransportError);
    expect(String(error)).toMatch(
      /create statefulsets.apps team-a\/pro-0: POST \/apis\/apps\/v1\/namespaces\/team-a\/statefulsets: .+ \((ECONNRESET|UND_ERR_SOCKET)\)/,
    );
  });

  test("a server that never answers is given up after the timeout", async () => {
    const { client, clock, seen } = await setUp(() => undefined);
    const call = client.get(statefulSets, ref, { timeoutSeconds: 7 });
    const outcome = finish(clock, call).catch((caught: unknown) => caught);
    expect(await outcome).toMatchObject({
      timedOut: true,
      message: expect.stringMatching(/no answer within 7 s/),
    });
    expect(clock.monotonic()).toBeLessThan(8_000);
    expect(seen).toHaveLength(1);
  });

  test("the caller's signal ends a call with the caller's reason", async () => {
    const { client } = await setUp(() => undefined);
    const stop = new AbortController();
    const call = client.get(statefulSets, ref, { signal: stop.signal });
    stop.abort(new Error("shutting down"));
    await expect(call).rejects.toThrow("shutting down");
  });
});

describe("retries", () => {
  test("an apply is sent again after a reset", async () => {
    const { client, clock, seen } = await setUp(inTurn(reset, accept));
    await finish(clock, client.apply(statefulSets, pro));
    expect(seen).toHaveLength(2);
  });

  test("a create is not sent again after a reset: it may have been made", async () => {
    const { client, clock, seen } = await setUp(inTurn(reset, accept));
    await expect(finish(clock, client.create(statefulSets, pro))).rejects.toBeInstanceOf(TransportError);
    expect(seen).toHaveLength(1);
  });

  test("a delete without a UID is not sent again: it could hit a successor", async () => {
    const { client, clock, seen } = await setUp(inTurn(reset, accept));
    await expect(finish(clock, client.delete(statefulSets, ref))).rejects.toBeInstanceOf(TransportError);
    expect(seen).toHaveLength(1);
  });

  test("429 is waited out for as long as the server asks, for a create too", async () => {
    const busy: Answer = (_, response) =>
      json(response, 429, status(429, "TooManyRequests", "slow down"), { "retry-after": "3" });
    const { client, clock, seen } = await setUp(inTurn(busy, accept));
    const call = client.create(statefulSets, pro);
    while (seen.length < 1) await clock.advance(0);
    await clock.advance(2_900);
    expect(seen).toHaveLength(1);
    await finish(clock, call);
    expect(seen).toHaveLength(2);
  });

  test("a longer Retry-After is handed to the caller instead of holding a worker", async () => {
    const { client } = await setUp((_, response) =>
      json(response, 429, status(429, "TooManyRequests", "slow down"), { "retry-after": "60" }),
    );
    const error = await client.get(statefulSets, ref).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ retryAfterSeconds: 60 });
  });

  test("tries are bounded", async () => {
    const { client, clock, seen, observed } = await setUp((_, response) =>
      json(response, 503, status(503, "ServiceUnavailable", "no etcd")),
    );
    await expect(finish(clock, client.get(statefulSets, ref))).rejects.toMatchObject({ code: 503 });
    expect(seen).toHaveLength(4);
    expect(observed.map((each) => each.code)).toEqual(["503", "503", "503", "503"]);
  });

  test("a refused eviction is not tried again: the budget has spoken", async () => {
    const { client, seen } = await setUp((_, response) =>
      json(response, 429, status(429, "TooManyRequests", "would violate the budget")),
    );
    await expect(client.evict(ref, { preconditions: { uid: "u1" } })).rejects.toMatchObject({ code: 429 });
    expect(seen).toHaveLength(1);
  });

  test("a refused credential is read anew once", async () => {
    const { client, seen } = await setUp(
      inTurn((_, response) => json(response, 401, status(401, "Unauthorized", "expired")), accept),
    );
    await client.create(statefulSets, pro);
    expect(seen).toHaveLength(2);
  });
});

describe("write gate", () => {
  test("without leadership reads pass and no write leaves the process", async () => {
    const gate = { signal: new AbortController().signal, held: () => false };
    const { client, seen } = await setUp(accept, { gate });
    await client.get(statefulSets, ref);
    await expect(client.apply(statefulSets, pro)).rejects.toBeInstanceOf(NotLeaderError);
    await expect(client.delete(statefulSets, ref)).rejects.toThrow(
      /delete statefulsets.apps team-a\/pro-0: refused/,
    );
    expect(seen.map((each) => each.method)).toEqual(["GET"]);
  });

  test("a write in flight is cut off when leadership is lost", async () => {
    const term = new AbortController();
    const gate = { signal: term.signal, held: () => true };
    const { client, seen, clock } = await setUp(() => undefined, { gate });
    const call = client.apply(statefulSets, pro).catch((caught: unknown) => caught);
    while (seen.length < 1) await clock.advance(0);
    term.abort(new Error("lost"));
    expect(await call).toBeInstanceOf(NotLeaderError);
  });
});
