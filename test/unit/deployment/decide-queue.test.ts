import { expect, test } from "vitest";
import type { KubeObject } from "../../../charts/kubernetes.ts";
import { labels } from "../../../charts/names.ts";
import { podGroup } from "../../../charts/render.ts";
import { deploymentSpec } from "../../../crds/deployment.ts";
import { decide } from "../../../operator/deployment/decide.ts";
import { type Child, childView } from "../../../operator/deployment/objects.ts";
import type { Observed } from "../../../operator/deployment/observed.ts";
import { nameOf } from "../../../operator/deployment/steps.ts";
import { planDeployment } from "../../../synth/plan.ts";
import { uneventful } from "./fixtures.ts";

const owner = {
  apiVersion: "mimo.dev/v1alpha1",
  kind: "MiMoDeployment",
  name: "pro",
  uid: "u",
  controller: true,
  blockOwnerDeletion: true,
};
const spec = deploymentSpec.parse({ variant: "MiMo-V2.5-Pro", hardware: "H200", replicas: 2 });
const platform = { queue: { system: "Volcano", name: "serving" } } as const;
const kind = "podgroups of scheduling.volcano.sh/v1beta1";

/** A new deployment of two groups on a platform with Volcano. */
const observed = (changes: Partial<Observed> = {}): Observed => ({
  name: "pro",
  namespace: "team-a",
  owner,
  annotations: {},
  spec: { ok: true, value: spec },
  status: undefined,
  platform: { ok: true, value: platform },
  ...uneventful,
  revisions: [],
  groups: [],
  children: [],
  nodes: new Map(),
  tombstones: new Map(),
  now: 0,
  ...changes,
});

const writes = (given: Observed): string[][] =>
  decide(given).stages.map((stage) =>
    stage.map((step) => `${step.do} ${step.resource.kind} ${nameOf(step)}`),
  );

function stored(object: KubeObject | undefined): Child {
  if (object === undefined) throw new Error("nothing was rendered");
  const { metadata, ...rest } = object;
  return childView.parse({ ...rest, metadata: { ...metadata, uid: "g", resourceVersion: "1" } });
}

test("a gang is there before its pods", () => {
  const stages = writes(observed());
  const gangs = stages.findIndex((stage) => stage.includes("create PodGroup pro-0"));
  const pods = stages.findIndex((stage) => stage.includes("create StatefulSet pro-0"));
  expect(gangs).toBeGreaterThanOrEqual(0);
  expect(gangs).toBeLessThan(pods);
  expect(stages.flat()).toContain("create PodGroup pro-1");
});

test("without the gang's API no group is made, the rest is, and the reason is told", () => {
  const given = observed({ absent: [kind] });
  const kinds = writes(given).flat();
  expect(kinds.filter((each) => /PodGroup|StatefulSet/.test(each))).toEqual([]);
  expect(kinds).toContain("create Service pro");
  expect(decide(given).obstacle).toMatchObject({ reason: "QueueMissing" });
  expect(decide(given).wakeMilliseconds).toBe(30_000);
});

test("a gang without a group goes, another deployment's stays", () => {
  const result = planDeployment({ name: "pro", namespace: "team-a", spec }, platform);
  if (!result.accepted) throw new Error("refused");
  const left = stored(podGroup(result.plan, 7, owner));
  const foreign = { ...left, metadata: { ...left.metadata, name: "other-0", ownerReferences: [] } };
  const steps = writes(observed({ gangs: [left, foreign] })).flat();
  expect(steps).toContain("delete PodGroup pro-7");
  expect(steps).not.toContain("delete PodGroup other-0");
  expect(left.metadata.labels?.[labels.group]).toBe("7");
});
