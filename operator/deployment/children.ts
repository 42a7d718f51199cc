import type { KubeObject, OwnerReference } from "../../charts/kubernetes.ts";
import { resourceOf } from "../../charts/resources.ts";
import { firstDifference, overlay } from "./difference.ts";
import { type Child, controllerOf } from "./objects.ts";
import type { Step } from "./steps.ts";

/** What it takes to have `desired`: a step, nothing, or a conflict when another controller owns the object. */
export function keep(
  owner: OwnerReference,
  desired: KubeObject,
  live: Child | undefined,
): Step | "conflict" | undefined {
  const resource = resourceOf(desired);
  if (live === undefined) return { do: "create", resource, object: desired, reason: "part of the plan" };
  if (live.metadata.deletionTimestamp !== undefined) return undefined;
  if (controllerOf(live) !== undefined && !isOurs(live, owner)) return "conflict";
  const difference = firstDifference(live, desired);
  if (difference === undefined) return undefined;
  return {
    do: "update",
    resource,
    object: overlay(live, desired),
    reason: `${difference} is not as planned`,
  };
}

export const isOurs = (object: KubeObject, owner: OwnerReference): boolean =>
  controllerOf(object)?.uid === owner.uid;

export const find = <T extends KubeObject>(
  objects: readonly T[],
  { kind, metadata }: KubeObject,
): T | undefined => objects.find((object) => object.kind === kind && object.metadata.name === metadata.name);

export function deletion(child: Child, reason: string): Step & { do: "delete" } {
  return {
    do: "delete",
    resource: resourceOf(child),
    name: child.metadata.name,
    uid: child.metadata.uid,
    reason,
  };
}

/** Takes up an object of ours that a deletion with --cascade=orphan left without an owner. */
export const adoption = (child: Child, owner: OwnerReference): Step => ({
  do: "update",
  resource: resourceOf(child),
  object: overlay(child, {
    apiVersion: child.apiVersion,
    kind: child.kind,
    metadata: { name: child.metadata.name, ownerReferences: [owner] },
  }),
  reason: "left by a deployment of the same name",
});
