import type { KubeObject } from "../../charts/kubernetes.ts";
import { deploymentName } from "./objects.ts";

/** `namespace/name`, the key that the controller works on. */
export const keyOf = (namespace: string | undefined, name: string): string => `${namespace ?? ""}/${name}`;

export function parseKey(key: string): { namespace: string; name: string } {
  const [namespace = "", name = ""] = key.split("/");
  return { namespace, name };
}

/** Keys of the deployment that an object belongs to: none or one. */
export function deploymentKeys(object: KubeObject): string[] {
  const name = deploymentName(object);
  return name === undefined ? [] : [keyOf(object.metadata.namespace, name)];
}
