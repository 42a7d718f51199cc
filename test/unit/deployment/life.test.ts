import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { schedulingGate } from "../../../charts/names.ts";
import {
  type Formation,
  formationPort,
  newFormation,
  openGatePatch,
  type Pin,
} from "../../../operator/deployment/formation.ts";
import { type Move, nextMove } from "../../../operator/deployment/life.ts";
import type { Circumstances } from "../../../operator/deployment/loss.ts";
import { cleanRecovery, type Recovery, recoveryPolicy } from "../../../operator/deployment/recovery.ts";
import { group, healthyNodes, node, type PodState, pod } from "./fixtures.ts";

const policy = recoveryPolicy(undefined);
const now = Date.parse("2026-11-22T12:00:00Z");
const calm: Circumstances = { nodes: healthyNodes, tombstones: new Map(), nodeLossTimeoutSeconds: 120, now };

const fixed = { gate: schedulingGate, placementSeconds: 60 } as const;
const nowhere: Pin = { domain: undefined, barredHosts: [], avoidedNodes: [] };

const formation = (id: number, uids: readonly string[]): Formation =>
  newFormation(
    id,
    "r1",
    uids.map((uid, rank) => pod(rank, { uid })),
  );
const gated = (uid: string): PodState => ({ uid, gated: true });
const running = (uid: string): PodState => ({ uid, ready: true });

interface Scene {
  readonly formation?: Formation;
  /** Container restarts of each rank when it became Ready; absent while it loads. */
  readonly baseline?: readonly number[];
  readonly recovery?: Recovery;
  readonly circumstances?: Partial<Circumstances>;
}

const next = (pods: readonly (PodState | undefined)[], scene: Scene = {}): Move =>
  nextMove({
    group: group(pods),
    formation: scene.formation,
    baseline: scene.baseline,
    recovery: scene.recovery ?? cleanRecovery("r1"),
    policy,
    circumstances: { ...calm, ...scene.circumstances },
    ...fixed,
  });
const formed: Scene = { formation: formation(1, ["a", "b"]), baseline: [0, 0] };
const broken: Recovery = {
  ...cleanRecovery("r1"),
  broken: 1,
  failures: [{ formation: 1, at: now, node: "node-1" }],
};
const uidsOf = (move: Move): string[] =>
  move.move === "stop" ? move.stops.map(({ pod: { metadata } }) => metadata.uid) : [];

describe("a group that comes up", () => {
  test("waits while a rank is missing", () => {
    expect(next([gated("a"), undefined])).toEqual({ move: "none" });
  });

  test("is put on record before any gate opens", () => {
    expect(next([gated("a"), gated("b")])).toEqual({ move: "record", formation: formation(1, ["a", "b"]) });
  });

  test("opens every gate once it is on record, and the rest after a crash half way", () => {
    const recorded = { formation: formation(1, ["a", "b"]) };
    expect(next([gated("a"), gated("b")], recorded)).toMatchObject({ move: "open", pods: [{}, {}] });
    expect(next([running("a"), gated("b")], recorded)).toMatchObject({
      move: "open",
      pods: [{ metadata: { uid: "b" } }],
    });
  });

  test("rests when all have passed", () => {
    expect(next([running("a"), running("b")], formed)).toEqual({ move: "none" });
  });

  test("gives back its nodes when the scheduler has none for some rank, and not before, nor where it says nothing", () => {
    const opened = { ...formation(1, ["a", "b"]), at: now - 59_000, domain: "rack" };
    const homeless = (words?: string) => {
      const placed = group([running("a"), running("b")]);
      const { nodeName: _, ...spec } = pod(1, running("b")).spec;
      const refused = {
        type: "PodScheduled",
        status: "False",
        reason: "Unschedulable",
        message: words ?? "",
      };
      const conditions = words === undefined ? [] : [refused];
      const second = { ...pod(1, running("b")), spec, status: { phase: "Pending", conditions } };
      return { ...placed, pods: [placed.pods[0], second] };
    };
    const move = (words: string | undefined, at: number): Move =>
      nextMove({
        group: homeless(words),
        formation: { ...opened, at },
        baseline: undefined,
        recovery: cleanRecovery("r1"),
        policy,
        circumstances: calm,
        ...fixed,
      });
    expect(move("no memory", now - 59_000)).toEqual({ move: "wait", milliseconds: 1000 });
    expect(move(undefined, now - 61_000)).toEqual({ move: "none" });
    const back = move("no memory", now - 61_000);
    const unplaced = { formation: 1, at: now, words: "no memory", domain: "rack" };
    expect(back).toMatchObject({ move: "giveBack", recovery: { broken: 1, failures: [], unplaced } });
    // The pod that has a node goes with the one that has none.
    const recovery = back.move === "giveBack" ? back.recovery : cleanRecovery("r1");
    expect(next([running("a"), running("b")], { formation: opened, recovery })).toMatchObject({
      move: "stop",
      stops: [{}, {}],
      reason: "not all ranks of formation 1 got a node",
    });
    expect(next([gated("c"), gated("d")], { formation: opened, recovery })).toMatchObject({ move: "record" });
  });

  test("waits for a queue that holds a gate of its own", () => {
    const queued = group([gated("a"), gated("b")]);
    queued.pods[0]?.spec.schedulingGates?.push({ name: "kueue.x-k8s.io/admission" });
    const scene = {
      formation: undefined,
      baseline: undefined,
      recovery: cleanRecovery("r1"),
      policy,
      circumstances: calm,
    };
    expect(nextMove({ group: queued, ...fixed, ...scene })).toEqual({ move: "none" });
  });

  test("keeps a pod at the gate whose peer was deleted there: nothing ran, so nothing is lost", () => {
    const tombstones = new Map([["b", pod(1, gated("b"))]]);
    const scene = { formation: formation(1, ["a", "b"]), circumstances: { tombstones } };
    expect(next([gated("a"), gated("c")], scene)).toEqual({
      move: "record",
      formation: formation(2, ["a", "c"]),
    });
  });

  test("whose record was lost is rebuilt only when it isn't whole", () => {
    expect(next([running("a"), running("b")])).toEqual({ move: "none" });
    expect(uidsOf(next([running("a"), gated("b")]))).toEqual(["a"]);
  });
});

describe("a loss", () => {
  test.each<[string, (PodState | undefined)[], Partial<Circumstances>, object]>([
    [
      "of a pod that vanished",
      [running("a"), gated("c")],
      {},
      { pod: "pro-0-1", reason: "Vanished", orderly: false },
    ],
    [
      "of a pod that is being deleted",
      [running("a"), { uid: "b", terminating: true }],
      {},
      { pod: "pro-0-1", reason: "Deleted", orderly: true },
    ],
    [
      "of a pod that was deleted and gone before anybody looked",
      [running("a"), gated("c")],
      { tombstones: new Map([["b", pod(1, { uid: "b", terminating: true })]]) },
      { pod: "pro-0-1", reason: "Deleted", orderly: true },
    ],
    [
      "of a container that restarted",
      [running("a"), { uid: "b", restarts: 1, exitCode: 137 }],
      {},
      { pod: "pro-0-1", node: "node-1", exitCode: 137, message: "CUDA error" },
    ],
    [
      "of a container that restarted and left no word",
      [running("a"), { uid: "b", restarts: 1 }],
      {},
      { reason: "ContainerRestarted" },
    ],
    [
      "of a pod that failed",
      [{ uid: "a", phase: "Failed" }, running("b")],
      {},
      { pod: "pro-0-0", reason: "Failed" },
    ],
    [
      "of a node that is gone",
      [{ ...running("a"), node: "elsewhere" }, running("b")],
      {},
      { pod: "pro-0-0", reason: "NodeLost" },
    ],
    [
      "of a pod that failed and was replaced at once",
      [running("a"), gated("c")],
      { tombstones: new Map([["b", pod(1, { uid: "b", exitCode: 1, restarts: 1 })]]) },
      { pod: "pro-0-1", exitCode: 1, node: "node-1" },
    ],
  ])("%s is put on record with its reason before any pod goes", (_, pods, circumstances, loss) => {
    const move = next(pods, { ...formed, circumstances });
    expect(move).toMatchObject({
      move: "lose",
      loss,
      recovery: { broken: 1, lastFailure: { pod: expect.any(String) } },
    });
  });

  test("is blamed on the rank that says why, not on the one that vanished", () => {
    const move = next([{ uid: "a", restarts: 1, exitCode: 9 }, undefined], formed);
    expect(move).toMatchObject({ move: "lose", loss: { pod: "pro-0-0", exitCode: 9 } });
  });

  test("is none while an unreachable node has time left", () => {
    const since = new Date(now - 100_000).toISOString();
    const nodes = new Map([...healthyNodes, ["node-1", node("node-1", "Unknown", since)] as const]);
    expect(next([running("a"), running("b")], { ...formed, circumstances: { nodes } })).toEqual({
      move: "none",
    });
    expect(
      next([running("a"), running("b")], { ...formed, circumstances: { nodes, now: now + 30_000 } }),
    ).toMatchObject({
      move: "lose",
      loss: { reason: "NodeLost", node: "node-1" },
    });
  });

  test("before all ranks have run is the ordinary race, after that it counts", () => {
    const at = (seconds: number): string => new Date(now + seconds * 1000).toISOString();
    const loading = group([{ uid: "a", restarts: 1 }, { uid: "b" }]);
    const [first, second] = loading.pods;
    const ended = { exitCode: 1, reason: "Error", message: "", startedAt: at(0), finishedAt: at(10) };
    Object.assign(first?.status?.containerStatuses?.[0] ?? {}, {
      lastState: { terminated: ended },
      state: { running: { startedAt: at(11) } },
    });
    const scene = {
      group: loading,
      formation: formation(1, ["a", "b"]),
      baseline: undefined,
      recovery: cleanRecovery("r1"),
    };
    const move = (peerStartedAt: string): Move => {
      Object.assign(second?.status?.containerStatuses?.[0] ?? {}, {
        state: { running: { startedAt: peerStartedAt } },
      });
      return nextMove({ ...scene, policy, circumstances: calm, ...fixed });
    };
    expect(move(at(20))).toEqual({ move: "none" });
    expect(move(at(5))).toMatchObject({ move: "lose", loss: { pod: "pro-0-0", exitCode: 1 } });
  });

  test("on record brings down what ran, quickly, and keeps what waits at the gate", () => {
    const move = next([running("a"), gated("c")], { ...formed, recovery: broken });
    expect(move).toMatchObject({
      move: "stop",
      stops: [{ pod: { metadata: { uid: "a" } }, graceSeconds: 10 }],
    });
  });

  test("in good order lets rank 0 finish first, with its own grace, and the others go when it is gone", () => {
    const orderly = { ...formed, recovery: { ...cleanRecovery("r1"), broken: 1, orderly: true } };
    const leaving = { uid: "b", terminating: true };
    expect(next([running("a"), leaving], orderly)).toEqual({
      move: "stop",
      stops: [{ pod: pod(0, running("a")) }],
      reason: "formation 1 lost a rank",
    });
    expect(uidsOf(next([{ uid: "a", terminating: true }, leaving], orderly))).toEqual([]);
    expect(next([gated("c"), leaving], orderly)).toMatchObject({
      move: "stop",
      stops: [{ graceSeconds: 10 }],
    });
  });

  test("is not counted twice, and the next formation meets at another port", () => {
    const move = next([gated("c"), gated("d")], { ...formed, recovery: broken });
    expect(move).toEqual({ move: "record", formation: formation(2, ["c", "d"]) });
    expect(formationPort(2)).not.toBe(formationPort(1));
  });

  test("is no loss when the group changes to another revision", () => {
    const old = { ...formation(1, ["a", "b"]), revision: "r0" };
    expect(next([gated("c"), gated("d")], { formation: old, baseline: [0, 0] })).toMatchObject({
      move: "record",
    });
  });
});

describe("losses in a row", () => {
  const failures = (count: number, ago = 0) =>
    Array.from({ length: count }, (_, index) => ({ formation: index + 1, at: now - ago, node: "node-1" }));

  test("are rebuilt at once the first time, then ever later, with the wait at the gate where no GPU is held", () => {
    const wait = (count: number): number => {
      const recovery = { ...cleanRecovery("r1"), broken: count, failures: failures(count) };
      const move = next([gated("x"), gated("y")], { formation: formation(count, ["a", "b"]), recovery });
      return move.move === "wait" ? move.milliseconds : 0;
    };
    expect(wait(1)).toBe(0);
    expect(wait(2)).toBeGreaterThan(7000);
    expect(wait(3)).toBeGreaterThan(wait(2));
    expect(wait(20)).toBeLessThanOrEqual(360_000);
  });

  test("end when there are more of them in the window than allowed, with the reason", () => {
    const recovery = { ...cleanRecovery("r1"), failures: failures(5) };
    const move = next([running("a"), gated("c")], {
      formation: formation(6, ["a", "b"]),
      baseline: [0, 0],
      recovery,
    });
    expect(move).toMatchObject({
      move: "lose",
      recovery: { gaveUp: expect.stringContaining("rebuilt 5 times within 3600 s") },
    });
    const after = move.move === "lose" ? move.recovery : recovery;
    expect(
      next([gated("x"), gated("y")], { formation: formation(6, ["a", "b"]), recovery: after }),
    ).toMatchObject({ move: "givenUp" });
  });

  test("long ago don't count", () => {
    const recovery = { ...cleanRecovery("r1"), failures: failures(5, 3_700_000) };
    const move = next([running("a"), gated("c")], {
      formation: formation(6, ["a", "b"]),
      baseline: [0, 0],
      recovery,
    });
    expect(move).toMatchObject({ move: "lose", recovery: { failures: [{ formation: 6 }] } });
  });

  test("on one node keep the next formation off it", () => {
    const recovery = { ...cleanRecovery("r1"), broken: 2, failures: failures(2, 60_000) };
    expect(next([gated("x"), gated("y")], { formation: formation(3, ["x", "y"]), recovery })).toMatchObject({
      move: "open",
      avoid: ["node-1"],
    });
  });
});

test("a group of one rank forms nothing", () => {
  expect(next([gated("a")])).toEqual({ move: "none" });
});

test("ports of neighbouring formations leave room for what SGLang binds above them, below port 30000", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), (id) => {
      expect(Math.abs(formationPort(id + 1) - formationPort(id))).toBeGreaterThanOrEqual(40);
      expect(formationPort(id)).toBeGreaterThanOrEqual(20_000);
      expect(formationPort(id) + 40).toBeLessThanOrEqual(30_000);
    }),
  );
});

test("a gate opens on the pod that was looked at, and no other of its name", () => {
  const patch = openGatePatch(pod(0, gated("a")), { "mimo.dev/dist-port": "20000" }, nowhere);
  expect(patch[0]).toEqual({ op: "test", path: "/metadata/uid", value: "a" });
  expect(patch.at(-1)).toEqual({ op: "remove", path: "/spec/schedulingGates" });
});

test("a gate opens on the way to the reserved domain, beside the affinity that a pod has already", () => {
  const pin: Pin = { domain: ["clique", "a"], barredHosts: ["old"], avoidedNodes: ["blamed"] };
  const held = pod(0, gated("a"));
  const nodeAffinity = {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [
        {
          matchExpressions: [
            { key: "clique", operator: "In", values: ["a"] },
            { key: "kubernetes.io/hostname", operator: "NotIn", values: ["old"] },
          ],
        },
      ],
    },
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        preference: {
          matchExpressions: [{ key: "kubernetes.io/hostname", operator: "NotIn", values: ["blamed"] }],
        },
      },
    ],
  };
  expect(openGatePatch(held, {}, pin)).toContainEqual({
    op: "add",
    path: "/spec/affinity",
    value: { nodeAffinity },
  });
  const bound = { ...held, spec: { ...held.spec, affinity: { podAffinity: {} } } };
  expect(openGatePatch(bound, {}, pin)).toContainEqual({
    op: "add",
    path: "/spec/affinity/nodeAffinity",
    value: nodeAffinity,
  });
});

test("a gate's patch takes no annotation away that somebody else wrote first", () => {
  const bare = pod(0, gated("a"));
  const { annotations: _, ...metadata } = bare.metadata;
  const patch = openGatePatch({ ...bare, metadata }, { "mimo.dev/dist-port": "20000" }, nowhere);
  expect(patch[1]).toEqual({
    op: "test",
    path: "/metadata/annotations",
    value: null,
  });
});

/** A group as it may be found, and as the cluster goes on with it. */
test("from any state, doing what is said leads to one whole formation, and each pod that ran is stopped once", () => {
  const state = fc.constantFrom("missing", "gated", "open", "replaced", "terminating", "restarted", "failed");
  fc.assert(
    fc.property(
      fc.array(state, { minLength: 2, maxLength: 8 }),
      fc.boolean(),
      fc.boolean(),
      (states, recorded, ready) => {
        let fresh = 0;
        const newPod = (): PodState => gated(`new-${fresh++}`);
        let current = recorded
          ? formation(
              3,
              states.map((_, index) => `old-${index}`),
            )
          : undefined;
        let recovery = cleanRecovery("r1");
        let pods = states.map((each, index): PodState | undefined => {
          const uid = `old-${index}`;
          if (each === "missing") return undefined;
          if (each === "replaced") return newPod();
          if (each === "restarted") return { uid, restarts: 1, exitCode: 1 };
          if (each === "failed") return { uid, phase: "Failed" };
          return { uid, gated: each === "gated", terminating: each === "terminating" };
        });
        let baseline: number[] | undefined = ready ? states.map(() => 0) : undefined;
        const stopped: string[] = [];

        for (let round = 0; round < 12; round++) {
          const scene = { recovery, circumstances: { now: now + round * 1_000_000 } };
          const move = next(pods, {
            ...scene,
            ...(current && { formation: current }),
            ...(baseline && { baseline }),
          });
          if (move.move === "lose") recovery = move.recovery;
          if (move.move === "record") {
            current = move.formation;
            baseline = undefined;
          }
          if (move.move === "open") {
            // No gate opens unless every rank of the formation is there.
            expect(pods.map((each) => each?.uid).sort()).toEqual(Object.values(move.formation.pods).sort());
            pods = pods.map((each) => (each?.gated ? running(each.uid) : each));
          }
          const going = uidsOf(move);
          stopped.push(...going);
          if (move.move === "stop")
            pods = pods.map((each) => (each && going.includes(each.uid) ? undefined : each));
          // The StatefulSet controller fills holes and replaces what failed; what terminates goes.
          if (move.move === "none" || move.move === "stop")
            pods = pods.map((each) =>
              each === undefined || each.terminating || each.phase === "Failed" ? newPod() : each,
            );
        }
        expect(pods.every((each) => each !== undefined && !each.gated && !each.terminating)).toBe(true);
        expect(new Set(stopped).size).toBe(stopped.length);
        expect(stopped.filter((uid) => uid.startsWith("new-"))).toEqual([]);
        if (current !== undefined)
          expect(pods.map((each) => each?.uid).sort()).toEqual(Object.values(current.pods).sort());
      },
    ),
    { numRuns: 1000 },
  );
});
