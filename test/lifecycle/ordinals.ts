/** Ordinals for the ids of groups: an id is never used again, so a group whose StatefulSet was refused once has the next one. */
export interface Ordinals {
  /** Ids in use, in order: the place of one is its ordinal. */
  readonly ids: readonly number[];
  /** Of one that isn't in use, the id itself. */
  readonly ofId: (id: number) => number;
  /** `pro-3` and `pro-3-1` become `pro-0` and `pro-0-1`; other names stay. */
  readonly inName: (name: string) => string;
}

/** @param statefulSets names of all groups of a deployment, such as `pro-3` */
export function groupOrdinals(statefulSets: readonly string[]): Ordinals {
  const ids = [...new Set(statefulSets.map(idOf))].sort((a, b) => a - b);
  const ofId = (id: number): number => (ids.includes(id) ? ids.indexOf(id) : id);
  const known = new Set(statefulSets);
  return {
    ids,
    ofId,
    inName: (name) => {
      const group = known.has(name) ? name : name.replace(/-\d+$/, "");
      return known.has(group) ? name.replace(group, group.replace(/\d+$/, String(ofId(idOf(group))))) : name;
    },
  };
}

const idOf = (statefulSet: string): number => Number(/\d+$/.exec(statefulSet)?.[0]);
