import { describe, expect, test } from "vitest";
import { farewell } from "../../../operator/deployment/farewell.ts";
import type { Step } from "../../../operator/deployment/steps.ts";
import { type PodState, pod } from "./fixtures.ts";

/** The last state is rank 1's. */
const deleted = (...states: readonly PodState[]): Step[] =>
  farewell(states.map((state, index) => pod(index + 2 - states.length, state)));
const going = { terminating: true } as const;

describe("a deployment that is deleted", () => {
  test("shortens rank 1's stop once rank 0 has finished", () => {
    expect(deleted({ uid: "b", ...going })).toMatchObject([{ do: "delete", uid: "b", graceSeconds: 10 }]);
    expect(deleted({ uid: "b", ...going, graceSeconds: 10 })).toEqual([]);
  });

  test("leaves rank 1 its time while rank 0 is there, also before the garbage collector has come to rank 0", () => {
    expect(deleted({ uid: "a", ...going }, { uid: "b", ...going })).toEqual([]);
    expect(deleted({ uid: "a", ready: true }, { uid: "b", ...going })).toEqual([]);
  });

  test("with --cascade=orphan keeps its ranks", () => {
    expect(deleted({ uid: "a", ready: true }, { uid: "b", ready: true })).toEqual([]);
    expect(deleted({ uid: "b", ready: true })).toEqual([]);
  });
});
