import type { Group } from "./groups.ts";

/**
 * Groups whose turn it is to get the current revision. One that doesn't serve loses nothing and goes at once; of those that
 * serve, one at a time and only while all others serve.
 */
export function groupsToUpdate(
  groups: readonly Group[],
  current: string,
  serves: (group: Group) => boolean,
): Group[] {
  const outdated = groups.filter((group) => group.revision !== current);
  const idle = outdated.filter((group) => !serves(group));
  const next = outdated.filter(serves).sort((a, b) => a.id - b.id)[0];
  return groups.every(serves) && next !== undefined ? [next] : idle;
}
