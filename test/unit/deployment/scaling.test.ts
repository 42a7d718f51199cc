import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { labels } from "../../../charts/names.ts";
import { isServing } from "../../../operator/deployment/groups.ts";
import { groupsToUpdate } from "../../../operator/deployment/rollout.ts";
import { groupsToRemove, newGroupIds } from "../../../operator/deployment/scaling.ts";
import { group } from "./fixtures.ts";

const serves = (each: ReturnType<typeof group>): boolean => isServing(each, labels.revision);
const of = (id: number, ready: boolean, revision = "new") =>
  group([{ uid: `p${id}`, ready, revision }], { id, revision });

describe("scaling", () => {
  test("lets go of what doesn't serve first, then of old revisions, then of the youngest", () => {
    const groups = [of(0, true, "old"), of(1, true), of(2, false), of(3, true)];
    const order = groupsToRemove(groups, 4, "new", serves).map(({ id }) => id);
    expect(order).toEqual([2, 0, 3, 1]);
  });

  test("never uses an id twice", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(50)), fc.nat(60), fc.nat(20), (existing, next, count) => {
        const ids = newGroupIds(existing, next, count);
        expect(new Set([...existing, ...ids]).size).toBe(existing.length + count);
        for (const id of ids) expect(id).toBeGreaterThanOrEqual(next);
      }),
    );
  });
});

describe("a rollout", () => {
  test("takes one serving group at a time, and only while all serve", () => {
    expect(
      groupsToUpdate([of(0, true, "old"), of(1, true, "old")], "new", serves).map(({ id }) => id),
    ).toEqual([0]);
    expect(groupsToUpdate([of(0, false), of(1, true, "old")], "new", serves)).toEqual([]);
  });

  test("replaces what doesn't serve at once: a stuck revision never blocks its own replacement", () => {
    const groups = [of(0, false, "old"), of(1, true, "old"), of(2, false, "old")];
    expect(groupsToUpdate(groups, "new", serves).map(({ id }) => id)).toEqual([0, 2]);
  });

  test("has nothing to do when all are current", () => {
    expect(groupsToUpdate([of(0, true), of(1, false)], "new", serves)).toEqual([]);
  });
});
