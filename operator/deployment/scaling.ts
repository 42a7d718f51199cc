import type { Group } from "./groups.ts";

/** Ids for `count` new groups, from `next` on and never below what exists: ids are not used twice. */
export function newGroupIds(existing: readonly number[], next: number, count: number): number[] {
  const first = Math.max(next, ...existing.map((id) => id + 1));
  return Array.from({ length: Math.max(0, count) }, (_, offset) => first + offset);
}

/** The groups to let go, in order: those that don't serve, then those of an old revision, then the youngest. */
export function groupsToRemove(
  groups: readonly Group[],
  count: number,
  current: string | undefined,
  serves: (group: Group) => boolean,
): Group[] {
  const worth = (group: Group): number => (serves(group) ? 2 : 0) + (group.revision === current ? 1 : 0);
  return [...groups].sort((a, b) => worth(a) - worth(b) || b.id - a.id).slice(0, Math.max(0, count));
}
