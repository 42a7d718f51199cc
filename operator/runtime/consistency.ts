import type { ApiResource, KubeObject } from "../../charts/kubernetes.ts";
import type { Written } from "./client-api.ts";
import type { Clock } from "./clock.ts";
import { type ObjectRef, resourceName, targetName } from "./paths.ts";
import type { Reflector } from "./reflector.ts";
import { compareResourceVersions } from "./resource-version.ts";
import { refOf } from "./store.ts";

/** What is needed of the cache of a resource. */
export type CacheProgress = Pick<Reflector<KubeObject>, "get" | "resourceVersion" | "relist">;

export interface OwnWritesOptions {
  readonly clock: Clock;
  /** The cache of a resource in a namespace; undefined when there is none, and then nothing is awaited. */
  readonly cacheOf: (resource: ApiResource, namespace: string | undefined) => CacheProgress | undefined;
  /** A cache that has not shown a write for this long is made to list again. */
  readonly expirySeconds: number;
}

/**
 * Remembers this process's writes until the caches show them. Deciding on a cache older than one's own
 * write repeats or undoes it: a second StatefulSet, a second scale-down.
 */
export interface OwnWrites {
  /** `object` as the server returned it from a create, update, patch or apply made for reconcile `key`. */
  wrote(key: string, resource: ApiResource, object: Written): void;
  /** A delete of the object with this UID was accepted; `answer` is the object where it lives on for a while. */
  deleted(key: string, resource: ApiResource, ref: ObjectRef, uid: string, answer: KubeObject): void;
  /**
   * undefined when the caches have caught up and a decision for `key` is safe; else which write is not
   * seen yet. The event that shows it will come through the cache's change handler: come back then, and
   * after a few seconds in any case, since a bookmark can show it too.
   */
  unseen(key: string): string | undefined;
  /** `key` is gone for good. */
  forget(key: string): void;
}

interface Pending {
  readonly resource: ApiResource;
  readonly ref: ObjectRef;
  readonly seen: (cache: CacheProgress) => boolean;
  expiresAt: number;
}

export function createOwnWrites({ clock, cacheOf, expirySeconds }: OwnWritesOptions): OwnWrites {
  const pending = new Map<string, Map<string, Pending>>();
  const expiry = () => clock.monotonic() + expirySeconds * 1000;

  // A later write to the same object replaces the earlier expectation: seeing it implies the earlier one.
  function remember(key: string, resource: ApiResource, ref: ObjectRef, seen: Pending["seen"]): void {
    if (cacheOf(resource, ref.namespace) === undefined) return;
    const writes = pending.get(key) ?? new Map<string, Pending>();
    writes.set(`${resourceName(resource)} ${targetName(ref)}`, { resource, ref, seen, expiresAt: expiry() });
    pending.set(key, writes);
  }

  return {
    wrote: (key, resource, object) => {
      const version = object.metadata.resourceVersion;
      if (version === undefined)
        throw new Error(`the server returned a ${resource.kind} without a resourceVersion`);
      remember(key, resource, refOf(object), (cache) => {
        if (!hasReached(cache, version)) return false;
        // Events out of their order: the cache is about to list again, and shows what was before the write.
        const cached = cache.get(refOf(object))?.metadata;
        return cached?.uid !== object.metadata.uid || isAtLeast(cached?.resourceVersion, version);
      });
    },
    deleted: (key, resource, ref, uid, { metadata: { resourceVersion } }) => {
      remember(key, resource, ref, (cache) => {
        const cached = cache.get(ref);
        if (cached?.metadata.uid !== uid) return true;
        // One that was going already may have been given less time: only its version tells.
        const isGoing = cached.metadata.deletionTimestamp !== undefined;
        return isGoing && (resourceVersion === undefined || hasReached(cache, resourceVersion));
      });
    },
    unseen: (key) => {
      const writes = pending.get(key);
      if (writes === undefined) return undefined;
      for (const [name, write] of writes) {
        const cache = cacheOf(write.resource, write.ref.namespace);
        if (cache === undefined || write.seen(cache)) writes.delete(name);
        else if (clock.monotonic() >= write.expiresAt) {
          write.expiresAt = expiry();
          cache.relist(`own write of ${name} not seen for ${expirySeconds} s`);
        }
      }
      if (writes.size === 0) pending.delete(key);
      return writes.keys().next().value;
    },
    forget: (key) => {
      pending.delete(key);
    },
  };
}

// Events of a resource come in the order of their versions, so a cache that has reached the write's
// version has seen the write, whatever became of the object since.
const hasReached = (cache: CacheProgress, version: string): boolean =>
  isAtLeast(cache.resourceVersion(), version);

const isAtLeast = (reached: string | undefined, version: string): boolean =>
  reached !== undefined && compareResourceVersions(reached, version) >= 0;
