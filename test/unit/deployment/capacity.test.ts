import { expect, test } from "vitest";
import { createCapacityTracker } from "../../../operator/deployment/capacity.ts";
import { holdsGpus, otherPod, type Pod, podView } from "../../../operator/deployment/objects.ts";
import { createReservations, type Pledge } from "../../../operator/deployment/reservations.ts";
import { createFakeClock } from "../runtime/fake-clock.ts";
import { node } from "./fixtures.ts";

const pod = (name: string, nodeName: string | undefined, phase = "Running", gpus = 4): Pod =>
  podView.parse({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "team-b", uid: name, resourceVersion: "1", labels: { app: "train" } },
    spec: {
      ...(nodeName !== undefined && { nodeName }),
      containers: [
        { name: "a", resources: { limits: { "nvidia.com/gpu": String(gpus / 2), cpu: "1" } } },
        { name: "b", resources: { limits: { "nvidia.com/gpu": gpus / 2 } } },
        { name: "c" },
      ],
    },
    status: { phase },
  });

test("of other pods, those on a node that hold GPUs and have not ended count, and little of them is kept", () => {
  expect(holdsGpus(pod("a", "n"))).toBe(true);
  expect(
    [
      pod("a", undefined),
      pod("a", "n", "Succeeded"),
      pod("a", "n", "Failed"),
      pod("a", "n", "Running", 0),
    ].map(holdsGpus),
  ).toEqual([false, false, false, false]);
  expect(otherPod(pod("a", "n"))).toEqual({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "a", namespace: "team-b", uid: "a", resourceVersion: "1" },
    spec: { nodeName: "n", gpus: 4 },
  });
});

test("those that wait are woken once for changes that come together, and by nothing that changes no capacity", async () => {
  const clock = createFakeClock();
  const woken: string[] = [];
  const tracker = createCapacityTracker(clock, (key) => woken.push(key));
  tracker.waits("team-a/pro", true);
  tracker.podChanged(undefined, pod("a", "n1"));
  tracker.podChanged(undefined, pod("b", "n1"));
  tracker.podChanged(undefined, pod("c", undefined));
  expect(tracker.held).toEqual(new Map([["n1", { gpus: 8, pods: 2 }]]));
  await clock.advance(1000);
  expect(woken).toEqual(["team-a/pro"]);

  tracker.podChanged(pod("a", "n1", "Pending"), pod("a", "n1"));
  tracker.nodeChanged(node("n1", "True"), node("n1", "True", "2026-11-23T00:00:00Z"));
  await clock.advance(1000);
  expect(woken).toHaveLength(1);

  tracker.podChanged(pod("a", "n1"), pod("a", "n1", "Succeeded"));
  tracker.podChanged(pod("b", "n1"), undefined);
  expect(tracker.held).toEqual(new Map());
  await clock.advance(1000);
  tracker.nodeChanged(node("n1", "True"), node("n1", "Unknown"));
  await clock.advance(1000);
  expect(woken).toHaveLength(3);

  tracker.waits("team-a/pro", false);
  tracker.changed();
  await clock.advance(1000);
  expect(woken).toHaveLength(3);
});

test("nodes stay promised until every rank has one, or is gone", () => {
  const pods = new Map<string, Pod>();
  const reservations = createReservations({ get: ({ name }) => pods.get(name) });
  const formation = { id: 1, port: 20_000, revision: "r1", pods: { a: "a", b: "b" }, domain: "rack" };
  const need: Pledge["need"] = {
    nodes: 2,
    gpusPerNode: 4,
    product: "",
    nodeSelector: {},
    queueLabels: {},
    tolerations: [],
    architecture: "arm64",
    leastDriver: undefined,
    domainLabel: "rack",
  };
  const ranks = (): number[] => reservations.open().map((each) => each.ranks);
  for (const name of ["a", "b"]) pods.set(name, pod(name, undefined));
  reservations.hold({ group: "g", namespace: "team-a", need, formation });
  expect(reservations.open()).toEqual([{ group: "g", need, domain: "rack", ranks: 2 }]);
  pods.set("a", pod("a", "n1"));
  expect(ranks()).toEqual([1]);
  pods.set("b", { ...pod("b", undefined), metadata: { ...pod("b", undefined).metadata, uid: "another" } });
  expect(ranks()).toEqual([]);

  pods.set("b", pod("b", undefined));
  reservations.hold({ group: "g", namespace: "team-a", need, formation });
  reservations.release("g");
  expect(ranks()).toEqual([]);
});
