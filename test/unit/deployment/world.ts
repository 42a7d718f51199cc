import { controllerRevision, groupStatefulSet, sharedObjects } from "../../../charts/render.ts";
import { freeze } from "../../../charts/revision.ts";
import { deploymentSpec } from "../../../crds/deployment.ts";
import type { DeploymentStatus } from "../../../crds/status.ts";
import { type Decision, decide } from "../../../operator/deployment/decide.ts";
import { type Revision, specHash } from "../../../operator/deployment/frozen.ts";
import type { Group } from "../../../operator/deployment/groups.ts";
import { type Child, childView } from "../../../operator/deployment/objects.ts";
import type { Observed } from "../../../operator/deployment/observed.ts";
import type { Obstacle } from "../../../operator/deployment/obstacles.ts";
import { recoveryPolicy } from "../../../operator/deployment/recovery.ts";
import { report } from "../../../operator/deployment/report.ts";
import { planDeployment } from "../../../synth/plan.ts";
import { group, healthyNodes, type PodState } from "./fixtures.ts";

export const namespace = "team-a";
export const name = "pro";
export const owner = {
  apiVersion: "mimo.dev/v1alpha1",
  kind: "MiMoDeployment",
  name,
  uid: "owner",
  controller: true,
  blockOwnerDeletion: true,
};
export const now = Date.parse("2026-11-22T12:00:00Z");

/** As the API server would hand it back. */
export const stored = (object: { metadata: object }, uid: string): Child =>
  childView.parse({ ...object, metadata: { ...object.metadata, uid, resourceVersion: "1" } });

/** A request whose plan is frozen. */
export function revisionOf(given: object, number = 1): Revision {
  const spec = deploymentSpec.parse(given);
  const result = planDeployment({ name, namespace, spec }, undefined);
  if (!result.accepted) throw new Error(result.refusals.map(({ message }) => message).join("; "));
  const { plan } = result;
  const { revision: hash, template } = freeze(plan);
  const intent = specHash(spec);
  const object = stored(
    controllerRevision({ plan, template, revision: hash, number, specHash: intent, owner }),
    `revision-${number}`,
  );
  return { hash, number, specHash: intent, plan, template, failed: undefined, object };
}

/** A group on the revision, with the StatefulSet that the operator would have made for it. */
export function groupOn(revision: Revision, id: number, pods: readonly (PodState | undefined)[]): Group {
  const { plan, hash, template } = revision;
  const object = groupStatefulSet({ plan, revision: hash, groupId: id, template, owner });
  const ofRevision = pods.map((pod) => pod && { revision: hash, ...pod });
  return { ...group(ofRevision, { id, revision: hash }), statefulSet: stored(object, `sts-${id}`) };
}

export interface Scene {
  readonly spec: object;
  readonly revisions?: readonly Revision[];
  readonly groups?: readonly Group[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly status?: DeploymentStatus;
}

/** What the operator would see of it. */
export function observed({ spec, revisions = [], groups = [], annotations = {}, status }: Scene): Observed {
  const newest = revisions.at(-1);
  return {
    name,
    namespace,
    owner,
    annotations,
    spec: { ok: true, value: deploymentSpec.parse(spec) },
    status,
    platform: { ok: true, value: undefined },
    takesTurn: false,
    hasTurn: false,
    revisions,
    groups,
    strays: [],
    children:
      newest === undefined
        ? []
        : sharedObjects(newest.plan, owner).map((object, index) => stored(object, `shared-${index}`)),
    nodes: healthyNodes,
    gpuQuotas: [],
    tombstones: new Map(),
    now,
  };
}

/** The status that the operator would write of it. */
export function statusOf(scene: Scene & { generation?: number; obstacle?: Obstacle }): DeploymentStatus {
  const seen = observed(scene);
  const decision: Decision = decide(seen);
  const facts = {
    name,
    namespace,
    generation: scene.generation ?? 1,
    decision,
    obstacle: scene.obstacle,
    groups: seen.groups,
    policy: recoveryPolicy(undefined),
  };
  return report(facts, scene.status, new Date(now));
}
