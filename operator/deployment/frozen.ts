import { z } from "zod";
import { fingerprint } from "../../charts/fingerprint.ts";
import { annotations } from "../../charts/names.ts";
import type { PodTemplate } from "../../charts/pod.ts";
import type { DeploymentSpec } from "../../crds/deployment.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import type { Child } from "./objects.ts";

/** A plan as it was resolved for one intent, with the pods it was rendered to. Groups run from this, never from a newer plan. */
export interface Revision {
  readonly hash: string;
  readonly number: number;
  /** Hash of the intent (the spec without `replicas`) that it was resolved from. */
  readonly specHash: string;
  readonly plan: ServingPlan;
  readonly template: PodTemplate;
  /** Why it was left for an earlier one; undefined while it wasn't. */
  readonly failed: string | undefined;
  /** The ControllerRevision; undefined while it is only to be written. */
  readonly object: Child | undefined;
}

/** What the pods depend on. Scaling and policy are no new intent: an HPA must not adopt a changed catalogue. */
export function specHash(spec: DeploymentSpec): string {
  const { replicas: _replicas, rollout: _rollout, recovery: _recovery, suspend: _suspend, ...intent } = spec;
  return fingerprint(intent);
}

const planShape = z.object({ name: z.string(), nodes: z.int() });
const templateShape = z.object({ spec: z.object({}) });
const stored = z.object({
  revision: z.int(),
  data: z.object({
    plan: z.custom<ServingPlan>((plan) => planShape.safeParse(plan).success),
    template: z.custom<PodTemplate>((template) => templateShape.safeParse(template).success),
  }),
});

/** Reads a ControllerRevision of ours; undefined for anything else. */
export function readRevision(object: Child, hash: string): Revision | undefined {
  const read = stored.safeParse(object);
  if (!read.success) return undefined;
  const { plan, template } = read.data.data;
  const specHash = object.metadata.annotations?.[annotations.specHash] ?? "";
  // Empty once it was asked for again.
  const failed = object.metadata.annotations?.[annotations.failed] || undefined;
  return { hash, number: read.data.revision, specHash, plan, template, failed, object };
}
