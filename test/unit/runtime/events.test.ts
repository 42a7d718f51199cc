import { pino } from "pino";
import { expect, test } from "vitest";
import type { KubeObject } from "../../../charts/kubernetes.ts";
import type { Client } from "../../../operator/runtime/client-api.ts";
import { createEventRecorder, type EventContent } from "../../../operator/runtime/events.ts";
import { createFakeClock } from "./fake-clock.ts";

const deployment: KubeObject = {
  apiVersion: "mimo.dev/v1alpha1",
  kind: "MiMoDeployment",
  metadata: { name: "pro", namespace: "team-a", uid: "u1" },
};
const rebuilt: EventContent = {
  type: "Warning",
  reason: "RankLost",
  action: "RebuildGroup",
  note: "group 0: node gb300-1 is gone",
};

function setUp(fails = false) {
  const clock = createFakeClock();
  const created: (KubeObject & { note?: string })[] = [];
  const patches: object[] = [];
  let dropped = 0;
  const client: Pick<Client, "create" | "patch"> = {
    create: async <T extends KubeObject>(_resource: object, object: KubeObject) => {
      if (fails) throw new Error("events are forbidden");
      created.push(object);
      return object as T;
    },
    patch: async <T extends KubeObject>(_resource: object, _ref: object, patch: object) => {
      patches.push(patch);
      return deployment as T;
    },
  };
  const recorder = createEventRecorder({
    client,
    reportingController: "mimo.dev/operator",
    reportingInstance: "pod-1",
    clock,
    random: () => 0.5,
    log: pino({ level: "silent" }),
    onDropped: () => {
      dropped += 1;
    },
  });
  return { clock, recorder, created, patches, dropped: () => dropped };
}

test("an event says about what, why, what was done, and when, in the form the API server demands", async () => {
  const { recorder, created } = setUp();
  recorder.record(deployment, rebuilt);
  await recorder.close();
  expect(created).toEqual([
    {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: expect.stringMatching(/^pro\.[0-9a-f]+$/), namespace: "team-a" },
      eventTime: "2026-01-01T00:00:00.000000Z",
      reportingController: "mimo.dev/operator",
      reportingInstance: "pod-1",
      regarding: {
        apiVersion: "mimo.dev/v1alpha1",
        kind: "MiMoDeployment",
        name: "pro",
        namespace: "team-a",
        uid: "u1",
      },
      ...rebuilt,
    },
  ]);
});

test("the same event again is counted, and the count is written sparingly", async () => {
  const { clock, recorder, created, patches } = setUp();
  for (let i = 0; i < 40; i += 1) {
    recorder.record(deployment, rebuilt);
    await clock.advance(10_000);
  }
  expect(created).toHaveLength(1);
  expect(patches).toEqual([{ series: { count: 30, lastObservedTime: "2026-01-01T00:04:50.000000Z" } }]);
});

test("after ten quiet minutes the same event is written anew", async () => {
  const { clock, recorder, created } = setUp();
  recorder.record(deployment, rebuilt);
  await clock.advance(601_000);
  recorder.record(deployment, rebuilt);
  await recorder.close();
  expect(created).toHaveLength(2);
});

test("a count that is not written yet is written on closing, and no timer keeps the process alive", async () => {
  const { clock, recorder, patches } = setUp();
  recorder.record(deployment, rebuilt);
  recorder.record(deployment, rebuilt);
  await recorder.close();
  expect(patches).toMatchObject([{ series: { count: 2 } }]);
  expect(clock.timers).toBe(0);
});

test("a flood is cut off and counted as dropped", async () => {
  const { recorder, created, dropped } = setUp();
  for (let i = 0; i < 60; i += 1) recorder.record(deployment, { ...rebuilt, note: `note ${i}` });
  await recorder.close();
  expect(created).toHaveLength(25);
  expect(dropped()).toBe(35);
});

test("a note is cut to 1 kB between characters", async () => {
  const { recorder, created } = setUp();
  recorder.record(deployment, { ...rebuilt, note: "ü€".repeat(500) });
  await recorder.close();
  const note = created[0]?.note ?? "";
  expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1024);
  expect(note).toMatch(/^(ü€)+ü?…$/);
});

test("an event that can't be written troubles nobody", async () => {
  const { recorder, dropped } = setUp(true);
  recorder.record(deployment, rebuilt);
  await recorder.close();
  expect(dropped()).toBe(1);
});
