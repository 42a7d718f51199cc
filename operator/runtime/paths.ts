import type { ApiResource } from "../../charts/kubernetes.ts";

export interface ObjectRef {
  readonly name: string;
  readonly namespace?: string | undefined;
}

/** Parameters left undefined are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** "statefulsets.apps", or "pods" for the core group; with "/status" for a subresource. */
export function resourceName(resource: ApiResource, subresource?: string): string {
  const name = resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`;
  return subresource === undefined ? name : `${name}/${subresource}`;
}

/** "team-a/pro-0", or the bare name of what has no namespace. */
export function targetName({ namespace, name }: ObjectRef): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** `/apis/apps/v1` or `/api/v1`. */
export function groupVersionPath(apiVersion: string): string {
  return apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

/** Path of a collection; without a namespace, that of all namespaces. */
export function collectionPath(resource: ApiResource, namespace?: string): string {
  const apiVersion = resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
  const scope =
    resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${groupVersionPath(apiVersion)}${scope}/${resource.plural}`;
}

/** Path of one object or of its subresource. */
export function objectPath(resource: ApiResource, ref: ObjectRef, subresource?: string): string {
  if (ref.name === "") throw new Error(`${resourceName(resource)}: the object's name is empty`);
  if (resource.namespaced && !ref.namespace) {
    throw new Error(`${resourceName(resource)} ${ref.name}: a namespaced object needs its namespace`);
  }
  const path = `${collectionPath(resource, ref.namespace)}/${encodeURIComponent(ref.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

export function withQuery(path: string, query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === "" ? path : `${path}?${text}`;
}
