import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type GroupView, planRollout, type RolloutPolicy } from "../../../operator/deployment/rollout.ts";

const policy = (given: Partial<RolloutPolicy> = {}): RolloutPolicy => ({
  maxUnavailable: 1,
  maxSurge: 0,
  partition: 0,
  held: false,
  ...given,
});
const of = (id: number, serves: boolean, revision = "new"): GroupView => ({ id, serves, revision });

describe("scaling", () => {
  test("lets go of what doesn't serve first, then of old revisions, then of the youngest", () => {
    const groups = [of(0, true, "old"), of(1, true), of(2, false), of(3, true)];
    expect(planRollout(groups, 0, "new", policy({ held: true })).remove).toEqual([2, 0, 3, 1]);
    expect(planRollout(groups, 2, "new", policy({ held: true })).remove).toEqual([2, 0]);
  });

  test("makes what is missing, also while an update is held", () => {
    expect(planRollout([of(0, true, "old")], 3, "new", policy({ held: true }))).toEqual({
      create: 2,
      update: [],
      remove: [],
    });
  });
});

describe("a rollout", () => {
  test("takes as many serving groups as may be missing", () => {
    const groups = [of(0, true, "old"), of(1, true, "old"), of(2, true, "old")];
    expect(planRollout(groups, 3, "new", policy()).update).toEqual([0]);
    expect(planRollout(groups, 3, "new", policy({ maxUnavailable: 2 })).update).toEqual([0, 1]);
    expect(planRollout([of(0, false), of(1, true, "old")], 2, "new", policy()).update).toEqual([]);
  });

  test("replaces what doesn't serve at once: a stuck revision never blocks its own replacement", () => {
    const groups = [of(0, false, "old"), of(1, true, "old"), of(2, false, "old")];
    expect(planRollout(groups, 3, "new", policy()).update).toEqual([0, 2]);
  });

  test("with a partition leaves the lowest ids where they are", () => {
    const groups = [of(0, true, "old"), of(1, true, "old"), of(4, true, "old")];
    expect(planRollout(groups, 3, "new", policy({ partition: 2 })).update).toEqual([4]);
    expect(planRollout(groups, 3, "new", policy({ partition: 3 })).update).toEqual([]);
  });

  test("that surges keeps every group serving: one more is made, and an old one goes when it serves", () => {
    const careful = policy({ maxUnavailable: 0, maxSurge: 1 });
    expect(planRollout([of(0, true, "old")], 1, "new", careful)).toEqual({
      create: 1,
      update: [],
      remove: [],
    });
    expect(planRollout([of(0, true, "old"), of(1, false)], 1, "new", careful)).toEqual({
      create: 0,
      update: [],
      remove: [],
    });
    expect(planRollout([of(0, true, "old"), of(1, true)], 1, "new", careful)).toEqual({
      create: 0,
      update: [],
      remove: [0],
    });
  });
});

/** The cluster after a plan was carried out, and after what is new has come up. */
function carriedOut(
  groups: readonly GroupView[],
  plan: ReturnType<typeof planRollout>,
  nextId: number,
): GroupView[] {
  const kept = groups.filter(({ id }) => !plan.remove.includes(id));
  const updated = kept.map((group) =>
    plan.update.includes(group.id) ? { ...group, revision: "new", serves: false } : group,
  );
  const made = Array.from({ length: plan.create }, (_, index) => of(nextId + index, false));
  return [...updated, ...made];
}

test("from any state a plan never takes more than allowed, never makes more than allowed, and the end is reached", () => {
  const view = fc.record({ serves: fc.boolean(), revision: fc.constantFrom("old", "older", "new") });
  const anyPolicy = fc
    .record({ maxUnavailable: fc.nat(3), maxSurge: fc.nat(3), partition: fc.nat(3), held: fc.boolean() })
    .filter(({ maxUnavailable, maxSurge }) => maxUnavailable + maxSurge > 0);
  fc.assert(
    fc.property(fc.array(view, { maxLength: 8 }), fc.nat(8), anyPolicy, (start, replicas, given) => {
      let groups: GroupView[] = start.map((each, id) => ({ ...each, id }));
      for (let round = 0; round < 40; round++) {
        const plan = planRollout(groups, replicas, "new", given);
        const serving = groups.filter(({ serves }) => serves).length;
        const after = carriedOut(groups, plan, 100 + round * 10);
        const floor = Math.min(serving, Math.max(0, replicas - given.maxUnavailable));
        expect(after.filter(({ serves }) => serves).length).toBeGreaterThanOrEqual(floor);
        expect(after.length).toBeLessThanOrEqual(Math.max(groups.length, replicas + given.maxSurge));
        expect(plan.update.filter((id) => plan.remove.includes(id))).toEqual([]);
        // What is new comes up; what is old may be broken for good, unless a partition is to keep it.
        groups = after.map((group) =>
          group.revision === "new" || given.partition > 0 ? { ...group, serves: true } : group,
        );
      }
      expect(planRollout(groups, replicas, "new", given)).toEqual({ create: 0, update: [], remove: [] });
      if (given.held) return;
      expect(groups).toHaveLength(replicas);
      expect(groups.filter(({ revision }) => revision !== "new").length).toBeLessThanOrEqual(given.partition);
    }),
    { numRuns: 2000 },
  );
});
