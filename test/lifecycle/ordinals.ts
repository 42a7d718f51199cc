/**
 * Puts ordinals for the ids of groups into names: an id is never used again, so a group whose StatefulSet was refused
 * once has the next one.
 * @param statefulSets names of all groups, such as `pro-3`
 * @returns `pro-3` and `pro-3-1` to `pro-0` and `pro-0-1`; other names stay
 */
export function groupOrdinals(statefulSets: readonly string[]): (name: string) => string {
  const sorted = [...new Set(statefulSets)].sort((a, b) => idOf(a) - idOf(b));
  const ordinals = new Map(sorted.map((name, ordinal) => [name, name.replace(/\d+$/, String(ordinal))]));
  return (name) => {
    const group = ordinals.has(name) ? name : name.replace(/-\d+$/, "");
    return name.replace(group, ordinals.get(group) ?? group);
  };
}

/** Of `pro-3`. */
export const idOf = (name: string): number => Number(/\d+$/.exec(name)?.[0]);
