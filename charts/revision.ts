import type { V1ControllerRevision } from "@kubernetes/client-node";
import type { ApiObject } from "cdk8s";
import type { Construct } from "constructs";
import type { ServingPlan } from "../synth/serving-plan.ts";
import { fingerprint } from "./fingerprint.ts";
import { inKeyOrder } from "./key-order.ts";
import { annotations, labels, revisionName } from "./names.ts";
import { type PodTemplate, podTemplate } from "./pod.ts";
import { patchTemplate } from "./pod-patches.ts";
import { typedObject } from "./typed-object.ts";

/**
 * Renders a plan's pods and names the two by what running groups are made of, how many pods of which template. A warning in
 * other words, or a better estimate of memory, is no new revision.
 */
export function freeze(plan: ServingPlan): { readonly revision: string; readonly template: PodTemplate } {
  const revision = fingerprint(inKeyOrder([plan.nodes, patchedTemplate(plan, "")]));
  return { revision, template: patchedTemplate(plan, revision) };
}

function patchedTemplate(plan: ServingPlan, revision: string): PodTemplate {
  const patched = patchTemplate(podTemplate(plan, revision), plan.podPatches ?? []);
  if (!patched.ok)
    throw new Error(`${patched.refusal.field}: ${patched.refusal.message}; the plan was never accepted`);
  return patched.template;
}

export const revisionLabels = (name: string, revision: string): Record<string, string> => ({
  [labels.name]: "mimo",
  [labels.managedBy]: "mimo-operator",
  [labels.revisionOf]: name,
  [labels.revision]: revision,
});

export interface RevisionOptions {
  readonly plan: ServingPlan;
  readonly template: PodTemplate;
  readonly revision: string;
  /** Position in the deployment's history; the highest is the newest. */
  readonly number: number;
  /** Hash of the request that the plan was resolved from. */
  readonly specHash: string;
}

/** The plan and its pods, frozen: groups run from this, whatever a later operator would make of the same request. */
export function controllerRevision(scope: Construct, options: RevisionOptions): ApiObject {
  const { plan, template, revision, number, specHash } = options;
  return typedObject<V1ControllerRevision>(scope, {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      name: revisionName(plan.name, revision),
      namespace: plan.namespace,
      labels: revisionLabels(plan.name, revision),
      annotations: { [annotations.specHash]: specHash },
    },
    revision: number,
    data: { plan, template },
  });
}
