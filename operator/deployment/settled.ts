import type { ServingPlan } from "../../synth/serving-plan.ts";
import { type Child, saysTheSame } from "./objects.ts";

/** Stands for what an object says: versions that say the same share it. */
type Content = object;

const contents = new WeakMap<Child, Content>();
/** Live objects that were found to be as planned, by the first of them. */
const settled = new WeakMap<Content, { readonly plan: ServingPlan; readonly live: readonly Content[] }>();

function contentOf(object: Child): Content {
  const content = contents.get(object) ?? {};
  contents.set(object, content);
  return content;
}

/** True when a newer version says the same as the one before, and then it is as well known. */
export function isKnown(old: Child, now: Child): boolean {
  const same = saysTheSame(old, now);
  if (same) contents.set(now, contentOf(old));
  return same;
}

/**
 * What `compare` finds wrong with live objects of a plan. Neither a plan nor a cached object ever changes, so the same ones
 * that were as planned still are. Rendering them again to see it would be most of a reconcile.
 */
export function differences<T>(
  plan: ServingPlan,
  live: readonly Child[],
  compare: () => readonly T[],
): readonly T[] {
  const now = live.map(contentOf);
  const [first] = now;
  const before = first === undefined ? undefined : settled.get(first);
  if (before?.plan === plan && isSame(before.live, now)) return [];
  const found = compare();
  if (first !== undefined && found.length === 0) settled.set(first, { plan, live: now });
  return found;
}

const isSame = (before: readonly Content[], now: readonly Content[]): boolean =>
  before.length === now.length && before.every((content, index) => content === now[index]);
