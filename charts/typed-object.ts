import { ApiObject } from "cdk8s";
import type { Construct } from "constructs";
import { inKeyOrder } from "./key-order.ts";
import type { ObjectMeta } from "./kubernetes.ts";

/** A whole object; `T` is its model in client-node. */
export type Manifest<T = unknown> = Omit<T, "apiVersion" | "kind" | "metadata"> & {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
};

/**
 * A construct for kinds of which cdk8s-plus-28 drops fields newer than its Kubernetes 1.28. It renders exactly what it was
 * given: cdk8s's own rendering fails on a label named "constructor" and takes several times as long.
 */
class TypedObject extends ApiObject {
  readonly #manifest: Manifest;

  constructor(scope: Construct, manifest: Manifest) {
    const { apiVersion, kind, metadata } = manifest;
    const name = metadata.name ?? "";
    super(scope, `${kind} ${name}`, { apiVersion, kind, metadata: { name } });
    this.#manifest = manifest;
  }

  override toJson(): unknown {
    return inKeyOrder(this.#manifest);
  }
}

export function typedObject<T>(scope: Construct, manifest: Manifest<T>): ApiObject {
  return new TypedObject(scope, manifest);
}
