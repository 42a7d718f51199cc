import type { ServingPlan } from "../../synth/serving-plan.ts";
import type { Child } from "./objects.ts";

/** Live objects that were found to be as planned, by the first of them: forgotten when a newer one takes its place. */
const settled = new WeakMap<Child, { readonly plan: ServingPlan; readonly live: readonly Child[] }>();

/**
 * What `compare` finds wrong with live objects of a plan. Neither a plan nor a cached object ever changes, so the same ones
 * that were as planned still are. Rendering them again to see it would be most of a reconcile.
 */
export function differences<T>(
  plan: ServingPlan,
  live: readonly Child[],
  compare: () => readonly T[],
): readonly T[] {
  const [first] = live;
  const before = first === undefined ? undefined : settled.get(first);
  if (before?.plan === plan && isSame(before.live, live)) return [];
  const found = compare();
  if (first !== undefined && found.length === 0) settled.set(first, { plan, live });
  return found;
}

const isSame = (before: readonly Child[], now: readonly Child[]): boolean =>
  before.length === now.length && before.every((object, index) => object === now[index]);
