import { computeDomainFinalizer, groupName, labels } from "../../charts/names.ts";
import { computeDomain } from "../../charts/render.ts";
import { resources } from "../../charts/resources.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import { keep } from "./children.ts";
import { type Group, presentPods } from "./groups.ts";
import type { ComputeDomain } from "./objects.ts";
import type { Observed } from "./observed.ts";
import type { Step } from "./steps.ts";

/**
 * The life of ComputeDomains: made before the first rank of a group is let in, removed after the last is gone. They have no
 * owner; a finalizer keeps the deployment until they are.
 */

/** A group, and what its pods are made from; undefined where that is not known any more. */
export interface PlannedGroup {
  readonly id: number;
  readonly plan: ServingPlan | undefined;
}

/**
 * Makes those that are missing, once the finalizer is there. Those of a former deployment of this name are taken over. Where
 * none is needed any more, the finalizer goes.
 */
export function makeComputeDomains(groups: readonly PlannedGroup[], observed: Observed): Step[] {
  const { owner, computeDomains, finalizers } = observed;
  if (computeDomains === "absent") return [];
  const needing = groups.filter(({ plan }) => plan?.nvlink !== undefined);
  if (needing.length === 0) return computeDomains.length === 0 ? dropFinalizer(owner, finalizers) : [];
  if (!finalizers.includes(computeDomainFinalizer)) {
    const path = "/metadata/finalizers";
    // The whole list is written: one that somebody else adds meanwhile must not be lost. A status written meanwhile may be.
    const patch = [
      { op: "test", path: "/metadata/uid", value: owner.uid },
      { op: "test", path, value: finalizers.length === 0 ? null : finalizers },
      { op: "add", path, value: [...finalizers, computeDomainFinalizer] },
    ];
    const reason = "its ComputeDomains have to outlive its pods";
    return [{ do: "patch", resource: resources.mimoDeployments, name: owner.name, patch, reason }];
  }
  return needing.flatMap(({ id, plan }): Step[] => {
    const live = computeDomains.find(({ metadata }) => metadata.name === groupName(observed.name, id));
    // Its spec can't change, so there is nothing to keep as it is.
    if (plan === undefined || live?.metadata.labels?.[labels.ownerUid] === owner.uid) return [];
    const desired = computeDomain({ plan, groupId: id, ownerUid: owner.uid });
    const [found] = desired === undefined ? [] : keep(owner, desired, live);
    return found === undefined || typeof found === "string" ? [] : [found];
  });
}

/** Removes those of which nobody is left, also of groups that were changed to do without. */
export function removeComputeDomains(groups: readonly (Group & PlannedGroup)[], observed: Observed): Step[] {
  if (observed.computeDomains === "absent") return [];
  return observed.computeDomains
    .filter((domain) => {
      const group = groups.find(({ statefulSet }) => statefulSet.metadata.name === domain.metadata.name);
      if (group === undefined) return !observed.occupied.has(domain.metadata.name);
      const current = presentPods(group).every(
        ({ metadata }) => metadata.labels?.[labels.revision] === group.revision,
      );
      return group.plan !== undefined && group.plan.nvlink === undefined && current;
    })
    .flatMap(removal);
}

/** Nothing when it is going already: the rest is its driver's. */
export function removal({ metadata: { name, uid, deletionTimestamp } }: ComputeDomain): Step[] {
  if (deletionTimestamp !== undefined) return [];
  const reason = "the ranks of its group are gone";
  return [{ do: "delete", resource: resources.computeDomains, name, uid, reason }];
}

/** Lets the deployment go. */
export function dropFinalizer(
  { name, uid }: { readonly name: string; readonly uid: string },
  finalizers: readonly string[],
): Step[] {
  const index = finalizers.indexOf(computeDomainFinalizer);
  if (index < 0) return [];
  const path = `/metadata/finalizers/${index}`;
  const patch = [
    { op: "test", path: "/metadata/uid", value: uid },
    { op: "test", path, value: computeDomainFinalizer },
    { op: "remove", path },
  ];
  const reason = "no ComputeDomain of it is left to wait for";
  return [{ do: "patch", resource: resources.mimoDeployments, name, patch, reason }];
}

/** What the driver says against the channels of ranks that are let in; undefined while it says nothing of the kind. */
export function channelTrouble({ metadata: { name }, status }: ComputeDomain): string | undefined {
  if (status?.status === undefined) return `ComputeDomain ${name} has no word from NVIDIA's DRA driver yet`;
  if (status.status === "Ready") return undefined;
  const nodes = status.nodes?.filter((node) => node.status !== "Ready").map((node) => node.name) ?? [];
  return `ComputeDomain ${name} is ${status.status}${nodes.length === 0 ? "" : ` on ${nodes.join(", ")}`}`;
}

export const computeDomainOf = (
  { name, computeDomains }: Pick<Observed, "name" | "computeDomains">,
  groupId: number,
): ComputeDomain | "absent" | undefined =>
  computeDomains === "absent"
    ? "absent"
    : computeDomains.find(({ metadata }) => metadata.name === groupName(name, groupId));
