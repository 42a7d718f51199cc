/** Kubernetes shapes shared by what renders objects and what sends them. Raw JSON: timestamps are strings. */

/** One served API resource, enough to build its URL. `group` is "" for the core API. */
export interface ApiResource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  name?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
}

/** Any object as it travels on the wire. Typed views are parsed or narrowed where they are read. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

/** `apps/v1` or, for the core group, `v1`. */
export function apiVersionOf(resource: ApiResource): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}
