import { describe, expect, test } from "vitest";
import { farewell } from "../../../operator/deployment/farewell.ts";
import type { NodeWatch } from "../../../operator/deployment/loss.ts";
import type { Pod } from "../../../operator/deployment/objects.ts";
import type { Step } from "../../../operator/deployment/steps.ts";
import { healthyNodes, node, type PodState, pod } from "./fixtures.ts";

const watch = {
  nodes: healthyNodes,
  nodeLossTimeoutSeconds: 120,
  now: Date.parse("2026-11-22T00:10:00Z"),
};

/** The last state is rank 1's. */
const deleted = (...states: readonly PodState[]): Step[] =>
  gone(
    states.map((state, index) => pod(index + 2 - states.length, state)),
    watch,
  );
const gone = (pods: readonly Pod[], seen: NodeWatch): Step[] =>
  farewell({ deployment: undefined, statefulSets: [], pods, computeDomains: [] }, seen).flat();
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

  test("takes what a lost node holds by force, once the node has had its time", () => {
    const pods = [pod(0, { uid: "a", ready: true, ...going }), pod(1, { uid: "b", ...going })];
    const lost = new Map([...healthyNodes, ["node-0", node("node-0", "Unknown")]]);
    expect(gone(pods, { ...watch, nodes: lost })).toMatchObject([{ uid: "a", graceSeconds: 0 }]);
    expect(gone(pods, { ...watch, nodes: lost, nodeLossTimeoutSeconds: 3600 })).toEqual([]);
    expect(gone([pod(1, { uid: "b", ...going })], { ...watch, nodes: new Map() })).toMatchObject([
      { uid: "b", graceSeconds: 0 },
    ]);
  });
});
