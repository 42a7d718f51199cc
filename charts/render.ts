import type { Chart } from "cdk8s";
import type { ServingPlan } from "../synth/serving-plan.ts";
import { computeDomain as addComputeDomain, type ComputeDomainOptions } from "./compute-domain.ts";
import { disruptionBudget } from "./disruption-budget.ts";
import { groupStatefulSet as addGroup, type GroupOptions } from "./group.ts";
import type { KubeObject, OwnerReference } from "./kubernetes.ts";
import { networkPolicy } from "./network-policy.ts";
import { podGroup as addPodGroup } from "./queue.ts";
import { controllerRevision as addRevision, freeze, type RevisionOptions } from "./revision.ts";
import { apiService, ranksService } from "./services.ts";
import { synthesizeChildren } from "./synthesize.ts";

interface Owned {
  readonly owner?: OwnerReference;
}

/** What all groups of a deployment share: Services, disruption budget, network policy. */
export function sharedObjects(plan: ServingPlan, owner?: OwnerReference): KubeObject[] {
  return synthesizeChildren((chart) => {
    ranksService(chart, plan);
    apiService(chart, plan);
    disruptionBudget(chart, plan);
    networkPolicy(chart, plan);
  }, owner);
}

export function groupStatefulSet({ owner, ...options }: GroupOptions & Owned): KubeObject {
  return only((chart) => addGroup(chart, options), owner);
}

/** The gang of a group in its queue; undefined where the queue has no object for it. */
export function podGroup(plan: ServingPlan, groupId: number, owner?: OwnerReference): KubeObject | undefined {
  return synthesizeChildren((chart) => addPodGroup(chart, plan, groupId), owner)[0];
}

/** The ComputeDomain of a group; undefined where its ranks don't use NVLink between their nodes. */
export function computeDomain(options: ComputeDomainOptions): KubeObject | undefined {
  return options.plan.nvlink === undefined
    ? undefined
    : only((chart) => addComputeDomain(chart, options), undefined);
}

export function controllerRevision({ owner, ...options }: RevisionOptions & Owned): KubeObject {
  return only((chart) => addRevision(chart, options), owner);
}

/** Everything that the operator makes for a new deployment, save the ControllerRevision that records the plan. */
export function renderDeployment(options: {
  readonly plan: ServingPlan;
  readonly replicas: number;
}): KubeObject[] {
  const { plan, replicas } = options;
  const { revision, template } = freeze(plan);
  const groups = Array.from({ length: replicas }, (_, groupId) => [
    podGroup(plan, groupId) ?? [],
    computeDomain({ plan, groupId }) ?? [],
    groupStatefulSet({ plan, revision, groupId, template }),
  ]).flat(2);
  return [...sharedObjects(plan), ...groups];
}

function only(build: (chart: Chart) => void, owner: OwnerReference | undefined): KubeObject {
  const [object] = synthesizeChildren(build, owner);
  if (object === undefined) throw new Error("a chart with one construct gave no object");
  return object;
}
