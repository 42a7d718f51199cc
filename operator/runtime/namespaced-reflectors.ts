import type { KubeObject } from "../../charts/kubernetes.ts";
import { type Reflector, type ReflectorOptions, startReflector } from "./reflector.ts";
import type { Store } from "./store.ts";

/** Caches of one resource, one for each namespace, to be read as one. */
export interface NamespacedReflectors<T extends KubeObject> {
  readonly store: Store<T>;
  readonly reflectors: readonly Reflector<T>[];
}

/** Follows a resource in these namespaces, or in all of them at once when there is no list. */
export function startNamespacedReflectors<T extends KubeObject>(
  namespaces: readonly string[] | undefined,
  options: ReflectorOptions<T>,
): NamespacedReflectors<T> {
  if (namespaces === undefined) {
    const reflector = startReflector(options);
    return { store: reflector, reflectors: [reflector] };
  }
  const reflectors = namespaces.map((namespace) => startReflector({ ...options, namespace }));
  return { store: joined(reflectors), reflectors };
}

const joined = <T extends KubeObject>(stores: readonly Store<T>[]): Store<T> => ({
  get: (ref) => stores.map((store) => store.get(ref)).find((object) => object !== undefined),
  list: (namespace) => stores.flatMap((store) => store.list(namespace)),
  byIndex: (index, key) => stores.flatMap((store) => store.byIndex(index, key)),
  get size() {
    return stores.reduce((sum, store) => sum + store.size, 0);
  },
});
