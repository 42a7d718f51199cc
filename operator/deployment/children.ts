import type { KubeObject, OwnerReference } from "../../charts/kubernetes.ts";
import { resourceOf } from "../../charts/resources.ts";
import { firstDifference, overlay } from "./difference.ts";
import { type Child, controllerOf } from "./objects.ts";
import type { Step } from "./steps.ts";

/** What it takes to have `desired`: at most one step, or the name of an object in the way, which another controller owns. */
export function keep(
  owner: OwnerReference,
  desired: KubeObject,
  live: Child | undefined,
): readonly [] | readonly [Step | string] {
  if (live === undefined) return [creation(desired)];
  if (live.metadata.deletionTimestamp !== undefined) return [];
  if (controllerOf(live) !== undefined && !isOurs(live, owner))
    return [`${desired.kind} ${desired.metadata.name}`];
  const difference = firstDifference(live, desired);
  if (difference === undefined) return [];
  const reason = `${difference} is not as planned`;
  return [{ do: "update", resource: resourceOf(desired), object: overlay(live, desired), reason }];
}

export const creation = (object: KubeObject): Step => ({
  do: "create",
  resource: resourceOf(object),
  object,
  reason: "part of the plan",
});

export const isOurs = (object: KubeObject, owner: OwnerReference): boolean =>
  controllerOf(object)?.uid === owner.uid;

export const find = <T extends KubeObject>(
  objects: readonly T[],
  { apiVersion, kind, metadata }: KubeObject,
): T | undefined =>
  objects.find(
    (object) =>
      object.kind === kind && object.apiVersion === apiVersion && object.metadata.name === metadata.name,
  );

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
export const adoption = (child: Child, owner: OwnerReference): Step =>
  remark(child, { ownerReferences: [owner] }, "left by a deployment of the same name");

/** Writes some of an object's metadata anew, and nothing else of it. */
export const remark = (
  child: Child,
  metadata: Pick<KubeObject["metadata"], "labels" | "ownerReferences">,
  reason: string,
): Step => ({
  do: "update",
  resource: resourceOf(child),
  object: overlay(child, {
    apiVersion: child.apiVersion,
    kind: child.kind,
    metadata: { name: child.metadata.name, ...metadata },
  }),
  reason,
});
