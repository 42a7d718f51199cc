import fc from "fast-check";
import { expect, test } from "vitest";
import { labels } from "../../../charts/names.ts";
import { controllerRevision, groupStatefulSet, sharedObjects } from "../../../charts/render.ts";
import { freeze } from "../../../charts/revision.ts";
import { deploymentSpec } from "../../../crds/deployment.ts";
import { decide } from "../../../operator/deployment/decide.ts";
import { readRevision, specHash } from "../../../operator/deployment/frozen.ts";
import { type Child, childView } from "../../../operator/deployment/objects.ts";
import type { Observed } from "../../../operator/deployment/observed.ts";
import { nameOf } from "../../../operator/deployment/steps.ts";
import { planDeployment } from "../../../synth/plan.ts";
import { group, healthyNodes } from "./fixtures.ts";

const namespace = "team-a";
const name = "pro";
const owner = {
  apiVersion: "mimo.dev/v1alpha1",
  kind: "MiMoDeployment",
  name,
  uid: "mine",
  controller: true,
  blockOwnerDeletion: true,
};
const spec = deploymentSpec.parse({ variant: "MiMo-V2.5-Pro", hardware: "H20" });
const planned = planDeployment({ name, namespace, spec }, undefined);
if (!planned.accepted) throw new Error("the catalogue refuses the request");
const { plan } = planned;
const { revision: hash, template } = freeze(plan);

/** As the API server would hand it out: another object each time. */
const stored = (object: { metadata: object }, uid: string): Child =>
  childView.parse(
    structuredClone({ ...object, metadata: { ...object.metadata, uid, resourceVersion: "1" } }),
  );

const revision = readRevision(
  stored(
    controllerRevision({ plan, template, revision: hash, number: 1, specHash: specHash(spec), owner }),
    "r",
  ),
  hash,
);
if (revision === undefined) throw new Error("the revision can't be read");
const shared = sharedObjects(plan, owner).map((object, index) => stored(object, `shared-${index}`));
const statefulSet = stored(groupStatefulSet({ plan, revision: hash, groupId: 0, template, owner }), "sts");
const ranks = ["a", "b"].map((uid) => ({ uid, ready: true, revision: hash }));
const served = group(ranks, { revision: hash });
const platform: Observed["platform"] = { ok: true, value: undefined };

const observed = (children: readonly Child[], live: Child): Observed => ({
  name,
  namespace,
  owner,
  spec: { ok: true, value: spec },
  annotations: {},
  status: undefined,
  platform,
  takesTurn: false,
  hasTurn: false,
  revisions: [revision],
  groups: [{ ...served, statefulSet: live }],
  strays: [],
  children,
  nodes: healthyNodes,
  gpuQuotas: [],
  tombstones: new Map(),
  now: Date.parse("2026-11-22T12:00:00Z"),
});

const steps = (observation: Observed): string[] => {
  const { stages, conflicts } = decide(observation);
  return [...stages.flat().map((step) => `${step.do} ${nameOf(step)}: ${step.reason}`), ...conflicts];
};

/** What may have happened to a live object between two looks. */
const mishaps = {
  none: (object: Child) => [object],
  gone: () => [],
  edited: (object: Child) => [
    childView.parse({
      ...object,
      metadata: { ...object.metadata, labels: { [labels.deployment]: "other" } },
    }),
  ],
  taken: (object: Child) => [
    childView.parse({
      ...object,
      metadata: { ...object.metadata, ownerReferences: [{ ...owner, uid: "another" }] },
    }),
  ],
  beside: (object: Child) => [
    object,
    childView.parse({ ...object, metadata: { ...object.metadata, name: "left-over", uid: "left-over" } }),
  ],
} as const;
const mishap = fc.constantFrom<keyof typeof mishaps>("none", "none", "gone", "edited", "taken", "beside");

test("objects that are as planned need nothing, however often they are looked at", () => {
  for (let look = 0; look < 3; look += 1) expect(steps(observed(shared, statefulSet))).toEqual([]);
});

test("whatever changes after that is seen as if one looked for the first time", () => {
  const story = fc.array(fc.tuple(...shared.map(() => mishap), fc.boolean()), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(story, (looks) => {
      steps(observed(shared, statefulSet));
      for (const look of looks) {
        const children = shared.flatMap((object, index) =>
          mishaps[look[index] as keyof typeof mishaps](object),
        );
        const drifted = look.at(-1) === true;
        const live = drifted
          ? childView.parse({ ...statefulSet, spec: { ...Object(statefulSet.spec), replicas: 7 } })
          : statefulSet;
        const unknown = observed(
          children.map((child) => structuredClone(child)),
          structuredClone(live),
        );
        expect(steps(observed(children, live))).toEqual(steps(unknown));
      }
    }),
  );
});

test("a plan that today's catalogue would resolve otherwise is asked about again with every platform", () => {
  const pinned: Observed["platform"] = { ok: true, value: { clusterDomain: "corp.example" } };
  const look = (of: Observed["platform"]) =>
    decide({ ...observed(shared, statefulSet), platform: of }).target.update;
  expect(look(platform)).toBeUndefined();
  expect(look(pinned)).toBeDefined();
  expect(look(platform)).toBeUndefined();
});
