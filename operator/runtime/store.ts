import type { KubeObject } from "../../charts/kubernetes.ts";
import type { ObjectRef } from "./paths.ts";

/** Keys an object is found under, such as its owner's key; none leaves it out of the index. */
export type IndexKeys<T> = (object: T) => readonly string[];

/** Objects of one resource by namespace and name, with optional indexes. Never changes an object. */
export interface Store<T extends KubeObject> {
  get(ref: ObjectRef): T | undefined;
  /** All, or those of one namespace. */
  list(namespace?: string): T[];
  /** Objects that `index` filed under `key`. */
  byIndex(index: string, key: string): T[];
  readonly size: number;
}

export interface MutableStore<T extends KubeObject> extends Store<T> {
  set(object: T): void;
  remove(ref: ObjectRef): void;
}

export function createStore<T extends KubeObject>(
  indexers: Readonly<Record<string, IndexKeys<T>>>,
): MutableStore<T> {
  const objects = new Map<string, T>();
  const indexes = new Map(
    Object.entries(indexers).map(([name, keysOf]) => [
      name,
      { keysOf, buckets: new Map<string, Set<string>>() },
    ]),
  );

  function unfile(key: string, object: T): void {
    for (const { keysOf, buckets } of indexes.values()) {
      for (const indexKey of keysOf(object)) {
        const bucket = buckets.get(indexKey);
        bucket?.delete(key);
        if (bucket?.size === 0) buckets.delete(indexKey);
      }
    }
  }

  function file(key: string, object: T): void {
    for (const { keysOf, buckets } of indexes.values()) {
      for (const indexKey of keysOf(object)) {
        const bucket = buckets.get(indexKey) ?? new Set();
        buckets.set(indexKey, bucket.add(key));
      }
    }
  }

  return {
    get size() {
      return objects.size;
    },
    get: (ref) => objects.get(keyOf(ref)),
    list: (namespace) => {
      const all = [...objects.values()];
      return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace);
    },
    byIndex: (index, key) => {
      const found = indexes.get(index);
      if (found === undefined) {
        throw new Error(
          `no index ${JSON.stringify(index)}; there are: ${[...indexes.keys()].join(", ") || "none"}`,
        );
      }
      return [...(found.buckets.get(key) ?? [])].flatMap((objectKey) => objects.get(objectKey) ?? []);
    },
    set: (object) => {
      const key = keyOf(refOf(object));
      const old = objects.get(key);
      if (old !== undefined) unfile(key, old);
      objects.set(key, object);
      file(key, object);
    },
    remove: (ref) => {
      const key = keyOf(ref);
      const old = objects.get(key);
      if (old === undefined) return;
      unfile(key, old);
      objects.delete(key);
    },
  };
}

/** Name and namespace of an object the server sent, which always has them. */
export function refOf({ metadata }: Pick<KubeObject, "metadata">): ObjectRef {
  return { name: metadata.name ?? "", namespace: metadata.namespace };
}

function keyOf({ namespace, name }: ObjectRef): string {
  return `${namespace ?? ""}/${name}`;
}
