import type {
  V1NetworkPolicy,
  V1PodDisruptionBudget,
  V1Service,
  V1StatefulSet,
} from "@kubernetes/client-node";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../../charts/kubernetes.ts";
import { labels, podName, rank0Selector } from "../../../charts/names.ts";
import { podTemplate } from "../../../charts/pod.ts";
import {
  controllerRevision,
  groupStatefulSet,
  renderDeployment,
  sharedObjects,
} from "../../../charts/render.ts";
import { freeze } from "../../../charts/revision.ts";
import { nameRules } from "../../../crds/metadata.ts";
import type { ServingPlan } from "../../../synth/serving-plan.ts";
import { servingPlan, twoNodePlan } from "./plans.ts";

const owner = {
  apiVersion: "mimo.dev/v1alpha1",
  kind: "MiMoDeployment",
  name: "pro",
  uid: "u-1",
  controller: true,
};

function pick<T>(objects: readonly KubeObject[], kind: string, name: string): T {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return asRead(found);
}

/** What a client reads back: the JSON of the object. */
function asRead<T>(object: unknown): T {
  return JSON.parse(JSON.stringify(object));
}

function group(plan: ServingPlan, groupId: number): V1StatefulSet {
  const { revision, template } = freeze(plan);
  return asRead(groupStatefulSet({ plan, revision, groupId, template }));
}

/** Labels that a pod of the group has once the StatefulSet controller made it. */
const podLabels = (statefulSet: V1StatefulSet, rank: number): Record<string, string> => ({
  ...statefulSet.spec?.template.metadata?.labels,
  [labels.podIndex]: String(rank),
});

const selects = (selector: Record<string, string> | undefined, pod: Record<string, string>): boolean =>
  selector !== undefined && Object.entries(selector).every(([key, value]) => pod[key] === value);

describe("the API Service", () => {
  const service = pick<V1Service>(sharedObjects(twoNodePlan()), "Service", "pro");

  test("selects rank 0 of every group and no other rank", () => {
    for (const groupId of [0, 7]) {
      expect(selects(service.spec?.selector, podLabels(group(twoNodePlan(), groupId), 0))).toBe(true);
      expect(selects(service.spec?.selector, podLabels(group(twoNodePlan(), groupId), 1))).toBe(false);
    }
    expect(service.spec?.selector).toEqual(rank0Selector("pro"));
  });

  test("reaches groups of a revision with another port by the port's name", () => {
    expect(service.spec?.ports).toEqual([
      { name: "http", port: 30_000, targetPort: "http", protocol: "TCP" },
    ]);
    expect(group(twoNodePlan({ port: 8000 }), 0).spec?.template.spec?.containers[0]?.ports).toEqual([
      { name: "http", containerPort: 8000, protocol: "TCP" },
    ]);
  });
});

describe("ranks find each other", () => {
  test("in DNS before they are ready, under the name that the server is given", () => {
    const statefulSet = group(twoNodePlan(), 3);
    const service = pick<V1Service>(
      sharedObjects(twoNodePlan()),
      "Service",
      statefulSet.spec?.serviceName ?? "",
    );
    expect(service.spec).toMatchObject({ clusterIP: "None", publishNotReadyAddresses: true });
    expect(selects(service.spec?.selector, podLabels(statefulSet, 1))).toBe(true);

    const host = statefulSet.spec?.template.spec?.containers[0]?.env?.find(
      ({ name }) => name === "RANK0_HOST",
    )?.value;
    expect(host?.replace("$(GROUP_ID)", podLabels(statefulSet, 0)[labels.group] ?? "")).toBe(
      `${podName("pro", 3, 0)}.pro-ranks.team-a.svc.cluster.local`,
    );
  });

  test("through the network policy on every port, while others reach the API alone", () => {
    const { spec } = pick<V1NetworkPolicy>(sharedObjects(twoNodePlan()), "NetworkPolicy", "pro");
    const [ranks, everybody] = spec?.ingress ?? [];
    expect(spec?.policyTypes).toEqual(["Ingress"]);
    expect(spec?.ingress).toHaveLength(2);
    expect(ranks).toEqual({ from: [{ podSelector: { matchLabels: { "mimo.dev/deployment": "pro" } } }] });
    expect(everybody).toEqual({ ports: [{ port: "http", protocol: "TCP" }] });
  });
});

describe("a group", () => {
  test("has a pod per node, started together and replaced only when deleted", () => {
    expect(group(twoNodePlan(), 0).spec).toMatchObject({
      replicas: 2,
      podManagementPolicy: "Parallel",
      updateStrategy: { type: "OnDelete" },
    });
  });

  test("owns its own pods only: selectors of two groups never overlap", () => {
    const [first, second] = [group(twoNodePlan(), 1), group(twoNodePlan(), 11)];
    expect(selects(first.spec?.selector.matchLabels, podLabels(first, 0))).toBe(true);
    expect(selects(first.spec?.selector.matchLabels, podLabels(second, 0))).toBe(false);
    expect(selects(second.spec?.selector.matchLabels, podLabels(first, 0))).toBe(false);
  });

  test("a drain of two nodes can't take two groups: one budget covers all ranks", () => {
    const { spec } = pick<V1PodDisruptionBudget>(sharedObjects(twoNodePlan()), "PodDisruptionBudget", "pro");
    expect(spec).toMatchObject({ maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow" });
    for (const id of [0, 1]) {
      expect(selects(spec?.selector?.matchLabels, podLabels(group(twoNodePlan(), id), 1))).toBe(true);
    }
  });
});

describe("a revision", () => {
  test("is the same for the same plan, in whatever order storage returns its keys", () => {
    const plan = twoNodePlan({ env: { A: "1", B: "2" }, podLabels: { x: "1", y: "2" } });
    const reversed: ServingPlan = asRead(Object.fromEntries(Object.entries(plan).reverse()));
    const reordered = { ...reversed, env: { B: "2", A: "1" }, podLabels: { y: "2", x: "1" } };
    expect(freeze(reordered).revision).toBe(freeze(plan).revision);
    expect(JSON.stringify(renderDeployment({ plan: reordered, replicas: 2 }))).toBe(
      JSON.stringify(renderDeployment({ plan, replicas: 2 })),
    );
  });

  test.each<[string, Partial<ServingPlan>]>([
    ["command", { command: ["sglang", "serve"] }],
    ["nodes", { nodes: 4 }],
    ["startup budget", { startupSeconds: 60 }],
  ])("is another one when the %s changes", (_, change) => {
    expect(freeze(twoNodePlan(change)).revision).not.toBe(freeze(twoNodePlan()).revision);
  });

  test.each<[string, Partial<ServingPlan>]>([
    ["warning", { warnings: ["in other words"] }],
    ["provenance", { provenance: { level: "Derived", source: "elsewhere", note: "and why" } }],
    [
      "memory estimate",
      { memory: { weightsGibPerGpu: 1, kvGibPerGpu: 1, tokensPerDataParallelRank: 1, fits: false } },
    ],
  ])("is the same when only the %s changes: nobody reloads a terabyte for it", (_, change) => {
    expect(freeze(twoNodePlan(change)).revision).toBe(freeze(twoNodePlan()).revision);
  });

  test("is in its pods' labels, and no group is in its template", () => {
    const { revision, template } = freeze(twoNodePlan());
    expect(template).toEqual(podTemplate(twoNodePlan(), revision));
    expect(template.metadata.labels).not.toHaveProperty([labels.group]);
    expect(podLabels(group(twoNodePlan(), 5), 0)).toMatchObject({
      [labels.revision]: revision,
      [labels.group]: "5",
    });
  });

  test("keeps plan and template as they are, so that groups rendered from the stored one equal the first", () => {
    const plan = twoNodePlan();
    const { revision, template } = freeze(plan);
    const stored = asRead<{ data: { plan: ServingPlan; template: typeof template } }>(
      controllerRevision({ plan, template, revision, number: 3, specHash: "s" }),
    );
    expect(stored.data).toEqual({ plan, template });
    const again = groupStatefulSet({ ...stored.data, revision, groupId: 0 });
    expect(JSON.stringify(again)).toBe(JSON.stringify(group(plan, 0)));
  });

  test("can't be taken for history of a StatefulSet, which adopts what its selector matches", () => {
    const { revision, template } = freeze(twoNodePlan());
    const object = controllerRevision({ plan: twoNodePlan(), template, revision, number: 1, specHash: "s" });
    expect(selects(group(twoNodePlan(), 0).spec?.selector.matchLabels, object.metadata.labels ?? {})).toBe(
      false,
    );
    expect(object.metadata.labels).not.toHaveProperty([labels.deployment]);
  });
});

describe("every object", () => {
  const { revision, template } = freeze(twoNodePlan());
  const all = (givenOwner?: typeof owner): KubeObject[] => [
    ...sharedObjects(twoNodePlan(), givenOwner),
    groupStatefulSet({
      plan: twoNodePlan(),
      revision,
      groupId: 0,
      template,
      ...(givenOwner && { owner: givenOwner }),
    }),
    controllerRevision({
      plan: twoNodePlan(),
      template,
      revision,
      number: 1,
      specHash: "s",
      ...(givenOwner && { owner: givenOwner }),
    }),
  ];

  test("belongs to its owner when there is one, and is otherwise the same", () => {
    const owned = all(owner);
    for (const [index, object] of all().entries()) {
      expect(owned[index]?.metadata.ownerReferences).toEqual([owner]);
      const { ownerReferences: _, ...metadata } = owned[index]?.metadata ?? {};
      expect({ ...owned[index], metadata }).toEqual(object);
    }
  });

  test("is what `render` prints, the record of the plan aside", () => {
    const operator = all().filter(({ kind }) => kind !== "ControllerRevision");
    expect(renderDeployment({ plan: twoNodePlan(), replicas: 1 })).toEqual(operator);
  });

  test("has nothing by which a GitOps tool would claim it", () => {
    for (const { metadata } of all(owner)) {
      const keys = Object.keys({ ...metadata.labels, ...metadata.annotations });
      expect(keys.filter((key) => key.startsWith("argocd.") || key.endsWith("/instance"))).toEqual([]);
    }
  });

  test("says by a hash of its content what it was rendered as", () => {
    const [before, after] = [servingPlan(), servingPlan({ port: 8000 })].map((plan) =>
      pick<KubeObject>(sharedObjects(plan), "Service", "flash"),
    );
    expect(before?.metadata.annotations?.["mimo.dev/applied"]).toMatch(/^[a-z]{12}$/);
    expect(after?.metadata.annotations?.["mimo.dev/applied"]).not.toBe(
      before?.metadata.annotations?.["mimo.dev/applied"],
    );
  });
});

describe("names", () => {
  const dnsLabel = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;
  const labelValue = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
  const accepted = (name: string) => nameRules.every(({ check }) => check(name));
  const longestGroupId = 2_000_000_000;

  test.each(["a", `a${"b".repeat(39)}`, `a${"-1".repeat(19)}9`])(
    "of every child of %j stay within limits",
    (name) => {
      expect(accepted(name)).toBe(true);
      const plan = twoNodePlan({ name });
      const { revision, template } = freeze(plan);
      const objects = [
        ...sharedObjects(plan),
        groupStatefulSet({ plan, revision, groupId: longestGroupId, template }),
        controllerRevision({ plan, template, revision, number: 1, specHash: "s" }),
      ];
      for (const { metadata } of objects) {
        expect(metadata.name).toMatch(dnsLabel);
        for (const value of Object.values(metadata.labels ?? {})) expect(value).toMatch(labelValue);
      }
      expect(podName(name, longestGroupId, 63)).toMatch(dnsLabel);
      // The StatefulSet controller labels pods with its own revision: its name, "-" and a hash of up to 10.
      expect(`${name}-${longestGroupId}-`.length + 10).toBeLessThanOrEqual(63);
      for (const value of Object.values(podLabels(group(plan, longestGroupId), 63)))
        expect(value).toMatch(labelValue);
    },
  );
});

test("a label or variable with a name that JavaScript gives a meaning arrives like any other", () => {
  const names = fc.constantFrom("constructor", "toString", "__proto__", "value", "resolve", "hasOwnProperty");
  fc.assert(
    fc.property(fc.dictionary(names, fc.constantFrom("a", "b"), { noNullPrototype: true }), (map) => {
      const spec = group(servingPlan({ podLabels: map, env: map }), 0).spec?.template;
      for (const [key, value] of Object.entries(map)) {
        expect(Object.entries(spec?.metadata?.labels ?? {})).toContainEqual([key, value]);
        expect(spec?.spec?.containers[0]?.env).toContainEqual({ name: key, value });
      }
    }),
    { numRuns: 30 },
  );
});
