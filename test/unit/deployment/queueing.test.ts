import { describe, expect, test } from "vitest";
import { labels } from "../../../charts/names.ts";
import type { Pod, Workload } from "../../../operator/deployment/objects.ts";
import {
  isOutsideQueue,
  missingQueue,
  queueHold,
  releaseSteps,
} from "../../../operator/deployment/queueing.ts";
import { servingPlan } from "../charts/plans.ts";
import { type PodState, pod as plainPod } from "./fixtures.ts";

const managed = "kueue.x-k8s.io/managed";

/** A rank as Kueue's webhook leaves it. */
function pod(rank: number, state: PodState, more: { gates?: string[]; outside?: true } = {}): Pod {
  const plain = plainPod(rank, state);
  return {
    ...plain,
    metadata: {
      ...plain.metadata,
      finalizers: more.outside ? [] : ["example.com/other", managed],
      labels: {
        ...plain.metadata.labels,
        [labels.group]: "0",
        "kueue.x-k8s.io/queue-name": "team",
        "kueue.x-k8s.io/pod-group-name": "pro-0",
        ...(more.outside ? {} : { [managed]: "true" }),
      },
    },
    spec: {
      ...plain.spec,
      ...(more.gates !== undefined && { schedulingGates: more.gates.map((name) => ({ name })) }),
    },
  };
}

function workload(
  owners: readonly Pod[],
  conditions: Record<string, [status: string, message?: string]>,
): Workload {
  return {
    apiVersion: "kueue.x-k8s.io/v1beta1",
    kind: "Workload",
    metadata: {
      name: "pro-0",
      namespace: "team-a",
      uid: "w",
      resourceVersion: "1",
      ownerReferences: owners.map(({ metadata: { name, uid } }) => ({
        apiVersion: "v1",
        kind: "Pod",
        name,
        uid,
      })),
    },
    status: {
      conditions: Object.entries(conditions).map(([type, [status, message = ""]]) => ({
        type,
        status,
        message,
      })),
    },
  };
}

const bothGates = ["kueue.x-k8s.io/admission", "mimo.dev/formation"];

describe("why a queue holds a group", () => {
  const held = [0, 1].map((rank) => pod(rank, { uid: `u${rank}`, gated: true }, { gates: bothGates }));

  test("is what Kueue says of its quota", () => {
    const waiting = workload(held, { QuotaReserved: ["False", "16 more needed"] });
    expect(queueHold(held, [waiting])).toBe("queue team: 16 more needed");
  });

  test("is the eviction when nothing newer is said", () => {
    expect(queueHold(held, [workload(held, { Evicted: ["True", "Preempted by b"] })])).toContain(
      "Preempted by b",
    );
  });

  test("is an admission check when there is quota", () => {
    expect(queueHold(held, [workload(held, { QuotaReserved: ["True"] })])).toContain("admission checks");
  });

  test("is that there is no Workload, another group's isn't it", () => {
    const others = workload([pod(0, { uid: "other" })], { QuotaReserved: ["False", "full"] });
    expect(queueHold(held, [others])).toContain("no Workload");
  });

  test("is nothing once Kueue has admitted it, or its gates are gone", () => {
    expect(queueHold(held, [workload(held, { Admitted: ["True"] })])).toBeUndefined();
    const ours = [0, 1].map((rank) => pod(rank, { uid: `u${rank}`, gated: true }));
    expect(queueHold(ours, [])).toBeUndefined();
  });

  test("is Kueue's configuration where its webhook never saw the pods", () => {
    const outside = [pod(0, { uid: "u0", gated: true }, { outside: true })];
    expect(outside.every(isOutsideQueue)).toBe(true);
    expect(queueHold(outside, [])).toContain("integrations.frameworks");
  });

  test("doesn't come from pods that are going", () => {
    const going = pod(0, { uid: "u0", gated: true, terminating: true }, { gates: bothGates });
    expect(queueHold([going], [])).toBeUndefined();
  });
});

describe("ranks that have ended are let go of", () => {
  const ended = (rank: number, uid: string): Pod => pod(rank, { uid, terminating: true, graceSeconds: 0 });
  const names = (pods: Pod[], workloads: Workload[], staying = ["0"]): string[] =>
    releaseSteps(pods, workloads, new Set(staying)).map((step) => ("name" in step ? step.name : ""));

  test("not while they have time left, and with nobody else's finalizer", () => {
    expect(names([pod(0, { uid: "a", terminating: true, graceSeconds: 10 })], [])).toEqual([]);
    expect(releaseSteps([ended(0, "a")], [], new Set())).toMatchObject([
      {
        do: "patch",
        patch: [
          { op: "test", path: "/metadata/uid", value: "a" },
          { op: "test", path: "/metadata/finalizers/1", value: managed },
          { op: "remove", path: "/metadata/finalizers/1" },
        ],
      },
    ]);
  });

  test("all at once when the group isn't to come back", () => {
    const pods = [ended(0, "a"), ended(1, "b")];
    expect(names(pods, [workload(pods, {})], [])).toEqual(["pro-0-0", "pro-0-1"]);
  });

  test("but for one, until the Workload has an heir", () => {
    const old = [ended(0, "a"), ended(1, "b")];
    expect(names(old, [workload(old, {})])).toEqual(["pro-0-1"]);
    const heir = pod(1, { uid: "c", gated: true }, { gates: bothGates });
    const rest = old.slice(0, 1);
    expect(names([...rest, heir], [workload(old, {})])).toEqual([]);
    expect(names([...rest, heir], [workload([...rest, heir], {})])).toEqual(["pro-0-0"]);
  });

  test("when a rank that still stops keeps the Workload", () => {
    const stopping = pod(0, { uid: "a", terminating: true, graceSeconds: 600 });
    const old = ended(1, "b");
    expect(names([stopping, old], [workload([stopping, old], {})])).toEqual(["pro-0-1"]);
  });

  test("for a rank of another revision, which the Workload may not fit", () => {
    const next = pod(1, { uid: "c", gated: true, revision: "r2" }, { gates: bothGates });
    expect(names([ended(0, "a"), next], [workload([ended(0, "a")], {})])).toEqual(["pro-0-0"]);
  });
});

describe("a queue whose API isn't served", () => {
  const absent = ["podgroups of scheduling.volcano.sh/v1beta1"];

  test("says what to install", () => {
    expect(missingQueue(servingPlan({ queue: { system: "Volcano" } }), absent)).toMatchObject({
      reason: "QueueMissing",
      message: expect.stringContaining("install Volcano"),
    });
  });

  test("is no concern of another's", () => {
    expect(missingQueue(servingPlan({ queue: { system: "SchedulerPlugins" } }), absent)).toBeUndefined();
    expect(missingQueue(servingPlan({ queue: { system: "KAI", name: "a" } }), absent)).toBeUndefined();
    expect(missingQueue(servingPlan(), absent)).toBeUndefined();
  });
});
