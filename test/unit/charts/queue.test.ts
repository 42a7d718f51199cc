import { describe, expect, test } from "vitest";
import { z } from "zod";
import { groupStatefulSet, podGroup, renderDeployment } from "../../../charts/render.ts";
import { freeze } from "../../../charts/revision.ts";
import type { QueuePlan, ServingPlan } from "../../../synth/serving-plan.ts";
import { servingPlan, twoNodePlan } from "./plans.ts";

const metadata = z.object({
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()).default({}),
});
const shape = z.object({
  metadata,
  spec: z.object({ template: z.object({ metadata }) }),
});

function podsOf(plan: ServingPlan, groupId = 0) {
  const { revision, template } = freeze(plan);
  const rendered = shape.parse(groupStatefulSet({ plan, revision, groupId, template }));
  return { ...rendered.spec.template.metadata, set: rendered.metadata };
}
const foreign = (map: Record<string, string>) =>
  Object.fromEntries(Object.entries(map).filter(([key]) => !/^(mimo\.dev|app\.kubernetes\.io)\//.test(key)));

const queued = (system: QueuePlan["system"], more: Partial<QueuePlan> = {}) => ({
  queue: { system, name: "team", ...more },
});

describe("with Kueue", () => {
  test("ranks are one pod group of the group's name and size", () => {
    const pods = podsOf(twoNodePlan(queued("Kueue")), 3);
    expect(foreign(pods.labels)).toEqual({
      "kueue.x-k8s.io/queue-name": "team",
      "kueue.x-k8s.io/pod-group-name": "pro-3",
    });
    expect(pods.annotations).toEqual({
      "kueue.x-k8s.io/pod-group-total-count": "2",
      "kueue.x-k8s.io/pod-group-serving": "true",
    });
    expect(foreign(pods.set.labels)).toEqual({});
  });

  test("a group of one node is a plain pod", () => {
    const pods = podsOf(servingPlan(queued("Kueue", { topologyKey: "example.com/rack" })));
    expect(foreign(pods.labels)).toEqual({ "kueue.x-k8s.io/queue-name": "team" });
    expect(pods.annotations).toEqual({});
  });

  test("a topology is asked for in the order of the ranks", () => {
    expect(
      podsOf(twoNodePlan(queued("Kueue", { topologyKey: "example.com/rack" }))).annotations,
    ).toMatchObject({
      "kueue.x-k8s.io/podset-required-topology": "example.com/rack",
      "kueue.x-k8s.io/pod-group-pod-index-label": "apps.kubernetes.io/pod-index",
    });
  });

  test("labels of the request don't take its queue away, and annotations stay", () => {
    const pods = podsOf(
      twoNodePlan({
        ...queued("Kueue"),
        podLabels: { "kueue.x-k8s.io/queue-name": "other" },
        podAnnotations: { "example.com/team": "a" },
      }),
    );
    expect(pods.labels["kueue.x-k8s.io/queue-name"]).toBe("team");
    expect(pods.annotations).toMatchObject({ "example.com/team": "a" });
  });
});

describe("a gang", () => {
  test.each([
    ["Volcano", "scheduling.volcano.sh/v1beta1", { queue: "team" }],
    ["SchedulerPlugins", "scheduling.x-k8s.io/v1alpha1", {}],
  ] as const)("of %s takes all ranks for a minimum", (system, apiVersion, more) => {
    const plan = twoNodePlan(system === "Volcano" ? queued(system) : { queue: { system } });
    expect(podGroup(plan, 1)).toMatchObject({
      apiVersion,
      kind: "PodGroup",
      metadata: { name: "pro-1", namespace: "team-a" },
      spec: {
        minMember: 2,
        minResources: { "nvidia.com/gpu": "16", memory: expect.stringMatching(/Gi$/) },
        ...more,
      },
    });
  });

  test("is named by the pods", () => {
    const volcano = podsOf(twoNodePlan(queued("Volcano")), 1);
    expect(volcano.annotations).toEqual({ "scheduling.k8s.io/group-name": "pro-1" });
    const coscheduling = podsOf(twoNodePlan({ queue: { system: "SchedulerPlugins" } }), 1);
    expect(foreign(coscheduling.labels)).toEqual({ "scheduling.x-k8s.io/pod-group": "pro-1" });
  });

  test("of Kubernetes itself has the size in its name, and none for a single pod", () => {
    const queue = { system: "Native" } as const;
    expect(podGroup(twoNodePlan({ queue }), 1)).toMatchObject({
      apiVersion: "scheduling.k8s.io/v1alpha2",
      metadata: { name: "pro-1-2" },
      spec: { schedulingPolicy: { gang: { minCount: 2 } } },
    });
    const plan = twoNodePlan({ queue });
    const { revision, template } = freeze(plan);
    expect(groupStatefulSet({ plan, revision, groupId: 1, template })).toMatchObject({
      spec: { template: { spec: { schedulingGroup: { podGroupName: "pro-1-2" } } } },
    });
    expect(podGroup(servingPlan({ queue }), 0)).toBeUndefined();
  });

  test("is made once for each group, before its pods", () => {
    const kinds = renderDeployment({ plan: twoNodePlan(queued("Volcano")), replicas: 2 }).map(
      ({ kind, metadata: { name } }) => `${kind} ${name}`,
    );
    expect(kinds.slice(-4)).toEqual([
      "PodGroup pro-0",
      "StatefulSet pro-0",
      "PodGroup pro-1",
      "StatefulSet pro-1",
    ]);
  });

  test("is nobody's where Kueue, KAI or nothing queues", () => {
    for (const plan of [twoNodePlan(), twoNodePlan(queued("Kueue")), twoNodePlan(queued("KAI"))])
      expect(podGroup(plan, 0)).toBeUndefined();
    expect(foreign(podsOf(twoNodePlan(queued("KAI"))).labels)).toEqual({ "kai.scheduler/queue": "team" });
  });
});

test("another queue is another revision, another group isn't", () => {
  const revisions = [
    twoNodePlan(),
    twoNodePlan(queued("Kueue")),
    twoNodePlan(queued("Kueue", { name: "b" })),
  ].map((plan) => freeze(plan).revision);
  expect(new Set(revisions).size).toBe(3);
});
