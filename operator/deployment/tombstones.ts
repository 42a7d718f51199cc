import { deploymentKeys } from "./keys.ts";
import type { Pod } from "./objects.ts";

/**
 * Last sight of pods that are gone: a StatefulSet replaces a Failed pod within a second, and the evidence goes with it.
 * Bounded; what is pushed out is told as "vanished".
 */
export interface Tombstones {
  bury(pod: Pod): void;
  /** Pods of one deployment that are gone, by UID. */
  of(key: string): ReadonlyMap<string, Pod>;
}

export function createTombstones(limit: number): Tombstones {
  // Insertion order is age.
  const byUid = new Map<string, Pod>();
  const byKey = new Map<string, Map<string, Pod>>();

  function forget(uid: string, pod: Pod): void {
    byUid.delete(uid);
    for (const key of deploymentKeys(pod)) {
      const pods = byKey.get(key);
      pods?.delete(uid);
      if (pods?.size === 0) byKey.delete(key);
    }
  }

  return {
    bury: (pod) => {
      const { uid } = pod.metadata;
      byUid.set(uid, pod);
      for (const key of deploymentKeys(pod)) byKey.set(key, (byKey.get(key) ?? new Map()).set(uid, pod));
      const oldest = byUid.size > limit ? byUid.entries().next().value : undefined;
      if (oldest !== undefined) forget(...oldest);
    },
    of: (key) => byKey.get(key) ?? new Map(),
  };
}
