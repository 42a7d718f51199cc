import type { ApiResource, KubeObject } from "../../charts/kubernetes.ts";
import type { ObjectRef } from "./paths.ts";
import type { WatchEvent } from "./watch-stream.ts";

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Per attempt; default 30. */
  readonly timeoutSeconds?: number;
}

export interface WriteOptions extends CallOptions {
  /** The server validates and admits, and stores nothing. */
  readonly dryRun?: boolean;
  readonly subresource?: "status" | "scale";
}

export interface DeleteOptions extends CallOptions {
  readonly dryRun?: boolean;
  /** The server refuses with a conflict when the object is another one, or changed. */
  readonly preconditions?: { readonly uid: string; readonly resourceVersion?: string | undefined };
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  readonly gracePeriodSeconds?: number;
}

export interface Selection {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface ListOptions extends Selection, CallOptions {
  readonly limit?: number;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: "NotOlderThan" | "Exact" | undefined;
}

export interface ObjectList<T extends KubeObject> {
  readonly items: T[];
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
}

export interface WatchOptions extends Selection {
  readonly resourceVersion: string;
  /** The server ends the watch after this long. */
  readonly timeoutSeconds: number;
  /** The watch fails when no byte came for this long. */
  readonly inactivitySeconds: number;
  readonly signal: AbortSignal;
}

export interface LogOptions extends CallOptions {
  readonly container: string;
  readonly previous?: boolean;
  readonly tailLines?: number;
  readonly limitBytes?: number;
}

export interface LogStreamOptions extends Omit<LogOptions, "timeoutSeconds"> {
  /** Goes on until the container ends. */
  readonly follow?: boolean;
  readonly signal: AbortSignal;
}

/** What the server answers to a delete: the object when it lives on for a while, else a `Status`. */
export type DeleteAnswer = KubeObject & { readonly status?: unknown };

/** What the server answers to a write. The rest of the object comes with its event: nothing reads it twice. */
export type Written = Pick<KubeObject, "metadata">;

/** Objects are raw JSON; `T` is the caller's claim about them. All calls throw ApiError or TransportError. */
export interface Client {
  get<T extends KubeObject>(
    resource: ApiResource,
    ref: ObjectRef,
    options?: CallOptions & { subresource?: "status" | "scale" },
  ): Promise<T>;
  /** One page. Items come without apiVersion and kind from the server and get them here. */
  list<T extends KubeObject>(resource: ApiResource, options?: ListOptions): Promise<ObjectList<T>>;
  create(resource: ApiResource, object: KubeObject, options?: WriteOptions): Promise<Written>;
  /** Server-side apply, forced: the fields in `object` become this field manager's. */
  apply(resource: ApiResource, object: KubeObject, options?: WriteOptions): Promise<Written>;
  /** Replaces the object; refused with a conflict when its resourceVersion is not the current one. */
  update(resource: ApiResource, object: KubeObject, options?: WriteOptions): Promise<Written>;
  /** An array is a JSON patch (RFC 6902), an object a merge patch (RFC 7386). */
  patch(
    resource: ApiResource,
    ref: ObjectRef,
    patch: readonly object[] | object,
    options?: WriteOptions,
  ): Promise<Written>;
  delete(resource: ApiResource, ref: ObjectRef, options?: DeleteOptions): Promise<DeleteAnswer>;
  /** Evicts a pod; 429 when a disruption budget forbids it now. */
  evict(ref: ObjectRef, options?: DeleteOptions): Promise<void>;
  /** Log text of a pod's container. */
  log(ref: ObjectRef, options: LogOptions): Promise<string>;
  /** The same as it comes, in whatever pieces. Never retried. */
  streamLog(ref: ObjectRef, options: LogStreamOptions): Promise<AsyncIterable<Uint8Array>>;
  watch(resource: ApiResource, options: WatchOptions): AsyncGenerator<WatchEvent>;
  /** Of the API server, such as "v1.36.3". */
  version(options?: CallOptions): Promise<string>;
  /** Plurals of the resources served under a group version; empty when the group version is not served. */
  discover(apiVersion: string, options?: CallOptions): Promise<ReadonlySet<string>>;
}
