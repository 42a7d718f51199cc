import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { schedulingGate } from "../../../charts/names.ts";
import {
  type Formation,
  formationPort,
  nextFormationMove,
  openGatePatch,
} from "../../../operator/deployment/formation.ts";
import { group, type PodState, pod } from "./fixtures.ts";

const formation = (id: number, uids: readonly string[]): Formation => ({
  id,
  port: formationPort(id),
  pods: Object.fromEntries(uids.map((uid, rank) => [`pro-0-${rank}`, uid])),
});
const next = (pods: readonly (PodState | undefined)[], current?: Formation) =>
  nextFormationMove(group(pods), current, schedulingGate);
const gated = (uid: string): PodState => ({ uid, gated: true });
const running = (uid: string): PodState => ({ uid, ready: true });

describe("a group of two ranks", () => {
  test("waits while a rank is missing", () => {
    expect(next([gated("a"), undefined])).toEqual({ move: "none" });
  });

  test("is put on record before any gate opens", () => {
    expect(next([gated("a"), gated("b")])).toEqual({ move: "record", formation: formation(1, ["a", "b"]) });
  });

  test("opens every gate once it is on record, and the rest after a crash half way", () => {
    expect(next([gated("a"), gated("b")], formation(1, ["a", "b"]))).toMatchObject({
      move: "open",
      pods: [{}, {}],
    });
    const half = next([running("a"), gated("b")], formation(1, ["a", "b"]));
    expect(half).toMatchObject({ move: "open", pods: [{ metadata: { uid: "b" } }] });
  });

  test("rests when all have passed", () => {
    expect(next([running("a"), running("b")], formation(1, ["a", "b"]))).toEqual({ move: "none" });
  });

  test("lets the survivor go when a rank was replaced, keeps the replacement and says who was lost", () => {
    expect(next([running("a"), gated("c")], formation(1, ["a", "b"]))).toMatchObject({
      move: "rebuild",
      pods: [{ metadata: { uid: "a" } }],
      reason: "formation 1 lost pro-0-1",
    });
  });

  test("meets at another port the next time", () => {
    const again = next([gated("c"), gated("d")], formation(1, ["a", "b"]));
    expect(again).toEqual({ move: "record", formation: formation(2, ["c", "d"]) });
    expect(formationPort(2)).not.toBe(formationPort(1));
  });

  test("waits for what still terminates", () => {
    expect(next([{ uid: "a", terminating: true }, gated("c")], formation(1, ["a", "b"]))).toEqual({
      move: "none",
    });
  });

  test("waits for a queue that holds a gate of its own", () => {
    const queued = group([gated("a"), gated("b")]);
    queued.pods[0]?.spec.schedulingGates?.push({ name: "kueue.x-k8s.io/admission" });
    expect(nextFormationMove(queued, undefined, schedulingGate)).toEqual({ move: "none" });
  });

  test("whose record was lost is rebuilt only when it isn't whole", () => {
    expect(next([running("a"), running("b")])).toEqual({ move: "none" });
    expect(next([running("a"), gated("b")])).toMatchObject({
      move: "rebuild",
      pods: [{ metadata: { uid: "a" } }],
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
  const patch = openGatePatch(pod(0, gated("a")), { "mimo.dev/dist-port": "20000" });
  expect(patch[0]).toEqual({ op: "test", path: "/metadata/uid", value: "a" });
  expect(patch.at(-1)).toEqual({ op: "remove", path: "/spec/schedulingGates" });
});

/** A group as it may be found: made by the API server's rules, disturbed at random. */
test("from any state, doing what is said leads to one whole formation", () => {
  const rank = fc.constantFrom<"missing" | "gated" | "open" | "replaced" | "terminating">(
    "missing",
    "gated",
    "open",
    "replaced",
    "terminating",
  );
  fc.assert(
    fc.property(fc.array(rank, { minLength: 2, maxLength: 8 }), fc.boolean(), (ranks, recorded) => {
      let fresh = 0;
      const newPod = (): PodState => gated(`new-${fresh++}`);
      let current = recorded
        ? formation(
            3,
            ranks.map((_, index) => `old-${index}`),
          )
        : undefined;
      let pods = ranks.map((state, index): PodState | undefined => {
        if (state === "missing") return undefined;
        if (state === "replaced") return newPod();
        return { uid: `old-${index}`, gated: state === "gated", terminating: state === "terminating" };
      });

      for (let round = 0; round < 10; round++) {
        const move = next(pods, current);
        if (move.move === "record") current = move.formation;
        const uids =
          "pods" in move ? new Set(move.pods.map(({ metadata }) => metadata.uid)) : new Set<string>();
        if (move.move === "open") {
          // No gate opens unless every rank of the formation is there.
          expect(pods.map((each) => each?.uid).sort()).toEqual(Object.values(move.formation.pods).sort());
          pods = pods.map((each) => (each && uids.has(each.uid) ? running(each.uid) : each));
        }
        if (move.move === "rebuild")
          pods = pods.map((each) => (each && uids.has(each.uid) ? undefined : each));
        // The StatefulSet controller fills holes; what terminates goes.
        if (move.move !== "open")
          pods = pods.map((each) => (each === undefined || each.terminating ? newPod() : each));
      }
      const whole = pods.every((each) => each !== undefined && !each.gated);
      expect(whole).toBe(true);
      const uids = pods.map((each) => each?.uid).sort();
      if (current !== undefined) expect(uids).toEqual(Object.values(current.pods).sort());
    }),
  );
});
