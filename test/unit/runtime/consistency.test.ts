import { expect, test } from "vitest";
import type { ApiResource, KubeObject } from "../../../charts/kubernetes.ts";
import { createOwnWrites } from "../../../operator/runtime/consistency.ts";
import { createFakeClock } from "./fake-clock.ts";

const pods: ApiResource = { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true };
const events: ApiResource = { ...pods, group: "events.k8s.io", plural: "events", kind: "Event" };
const status: KubeObject = { apiVersion: "v1", kind: "Status", metadata: {} };
const ref = { namespace: "ns", name: "a" };

function pod(uid: string, resourceVersion: string, deletionTimestamp?: string): KubeObject {
  const metadata = { ...ref, uid, resourceVersion, ...(deletionTimestamp && { deletionTimestamp }) };
  return { apiVersion: "v1", kind: "Pod", metadata };
}

function setUp() {
  const clock = createFakeClock();
  const cache: { version: string | undefined; pod: KubeObject | undefined; relists: string[] } = {
    version: "10",
    pod: undefined,
    relists: [],
  };
  const progress = {
    get: () => cache.pod,
    resourceVersion: () => cache.version,
    relist: (why: string) => void cache.relists.push(why),
  };
  const cacheOf = (resource: ApiResource) => (resource.plural === "pods" ? progress : undefined);
  return { clock, cache, ownWrites: createOwnWrites({ clock, cacheOf, expirySeconds: 30 }) };
}

test("a write is unseen until the cache has reached its version, whatever became of the object", () => {
  const { cache, ownWrites } = setUp();
  ownWrites.wrote("ns/pro", pods, pod("u1", "100"));
  expect(ownWrites.unseen("ns/pro")).toBe("pods ns/a");
  cache.version = "99";
  expect(ownWrites.unseen("ns/pro")).toBe("pods ns/a");
  cache.version = "100";
  expect(ownWrites.unseen("ns/pro")).toBeUndefined();
});

test("a write is unseen while the cache, past its version, still shows the object as it was before", () => {
  const { cache, ownWrites } = setUp();
  Object.assign(cache, { version: "120", pod: pod("u1", "90") });
  ownWrites.wrote("ns/pro", pods, pod("u1", "100"));
  expect(ownWrites.unseen("ns/pro")).toBe("pods ns/a");
  cache.pod = pod("u1", "110");
  expect(ownWrites.unseen("ns/pro")).toBeUndefined();
});

test("one owner's writes hold up no other owner", () => {
  const { ownWrites } = setUp();
  ownWrites.wrote("ns/pro", pods, pod("u1", "100"));
  expect(ownWrites.unseen("ns/flash")).toBeUndefined();
});

test("an apply that changed nothing is seen at once", () => {
  const { ownWrites } = setUp();
  ownWrites.wrote("ns/pro", pods, pod("u1", "7"));
  expect(ownWrites.unseen("ns/pro")).toBeUndefined();
});

test("a deletion is seen when the object is gone, on its way out, or another one", () => {
  const { cache, ownWrites } = setUp();
  for (const seen of [undefined, pod("u1", "8", "2026-01-01T00:00:00Z"), pod("u2", "9")]) {
    cache.pod = pod("u1", "5");
    ownWrites.deleted("ns/pro", pods, ref, "u1", status);
    expect(ownWrites.unseen("ns/pro")).toBe("pods ns/a");
    cache.pod = seen;
    expect(ownWrites.unseen("ns/pro")).toBeUndefined();
  }
});

test("a deletion of what is on its way out already is seen when the cache has reached it, or it is gone", () => {
  const { cache, ownWrites } = setUp();
  const going = pod("u1", "10", "2026-01-01T00:00:00Z");
  const sooner = pod("u1", "11", "2026-01-01T00:00:00Z");
  for (const seen of [sooner, undefined]) {
    Object.assign(cache, { version: "10", pod: going });
    ownWrites.deleted("ns/pro", pods, ref, "u1", sooner);
    expect(ownWrites.unseen("ns/pro")).toBe("pods ns/a");
    Object.assign(cache, { version: "11", pod: seen });
    expect(ownWrites.unseen("ns/pro")).toBeUndefined();
  }
});

test("what no cache follows is not waited for", () => {
  const { ownWrites } = setUp();
  ownWrites.wrote("ns/pro", events, pod("u1", "100"));
  expect(ownWrites.unseen("ns/pro")).toBeUndefined();
});

test("a cache that does not catch up in time lists again, and is still not decided upon", async () => {
  const { clock, cache, ownWrites } = setUp();
  ownWrites.wrote("ns/pro", pods, pod("u1", "100"));
  await clock.advance(29_000);
  expect(ownWrites.unseen("ns/pro")).toBeDefined();
  expect(cache.relists).toEqual([]);
  await clock.advance(1_000);
  expect(ownWrites.unseen("ns/pro")).toBeDefined();
  expect(ownWrites.unseen("ns/pro")).toBeDefined();
  expect(cache.relists).toEqual(["own write of pods ns/a not seen for 30 s"]);
});
