import type { ApiResource, KubeObject } from "../../charts/kubernetes.ts";
import type {
  CallOptions,
  Client,
  DeleteAnswer,
  DeleteOptions,
  ListOptions,
  ObjectList,
  WriteOptions,
  Written,
} from "./client-api.ts";
import type { Clock, Random } from "./clock.ts";
import type { Connection, PoolName } from "./connection.ts";
import { isNotFound } from "./errors.ts";
import {
  collectionPath,
  groupVersionPath,
  type ObjectRef,
  objectPath,
  type Query,
  resourceName,
  targetName,
  withQuery,
} from "./paths.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import { type Call, createRequester, type RequestObservation, type WriteGate } from "./request.ts";
import { openWatch } from "./watch-stream.ts";

export interface ClientOptions {
  readonly userAgent: string;
  /** Owner of the fields this client applies. */
  readonly fieldManager: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Shared by all clients of a process. */
  readonly limiter?: RateLimiter;
  /** Reads pass without it; writes only while it is held. */
  readonly gate?: WriteGate;
  /** Default "requests". */
  readonly pool?: PoolName;
  /** Default 4; 1 = no retries. */
  readonly maxAttempts?: number;
  readonly onRequest?: (observation: RequestObservation) => void;
}

/** A server that can't leave the rest away answers with all of it. */
const METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const PODS: ApiResource = { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true };

/** A typed client on one connection; everything it sends is described in access terms (verb, resource, name). */
export function createClient(connection: Connection, options: ClientOptions): Client {
  const { fieldManager } = options;
  const requester = createRequester({
    ...options,
    connection,
    pool: options.pool ?? "requests",
    maxAttempts: options.maxAttempts ?? 4,
  });

  type CallShape = Pick<Call, "verb" | "resource" | "target" | "method" | "path" | "idempotent"> &
    Partial<Pick<Call, "contentType" | "accept" | "tooManyRequestsIsFinal">> & { readonly json?: unknown };

  function send({ json, ...shape }: CallShape, { signal, timeoutSeconds }: CallOptions): Promise<string> {
    return requester.text({
      ...shape,
      ...(json !== undefined && {
        contentType: shape.contentType ?? "application/json",
        body: JSON.stringify(json),
      }),
      timeoutSeconds: timeoutSeconds ?? 30,
      signal,
    });
  }

  async function write(
    shape: Omit<CallShape, "resource" | "target" | "path">,
    resource: ApiResource,
    ref: ObjectRef,
    { dryRun, subresource, ...rest }: WriteOptions,
    query: Query = {},
  ): Promise<Written> {
    const path =
      shape.method === "POST"
        ? collectionPath(resource, ref.namespace)
        : objectPath(resource, ref, subresource);
    const text = await send(
      {
        ...shape,
        resource: resourceName(resource, subresource),
        target: targetName(ref),
        path: withQuery(path, { fieldManager, dryRun: dryRun ? "All" : undefined, ...query }),
        accept: METADATA_ONLY,
      },
      rest,
    );
    return JSON.parse(text) as Written;
  }

  return {
    get: async <T extends KubeObject>(
      resource: ApiResource,
      ref: ObjectRef,
      { subresource, ...rest }: CallOptions & { subresource?: "status" | "scale" } = {},
    ) => {
      const path = objectPath(resource, ref, subresource);
      const name = resourceName(resource, subresource);
      const text = await send(
        { verb: "get", resource: name, target: targetName(ref), method: "GET", path, idempotent: true },
        rest,
      );
      return JSON.parse(text) as T;
    },

    list: async <T extends KubeObject>(
      resource: ApiResource,
      { signal, timeoutSeconds = 60, namespace, ...query }: ListOptions = {},
    ) => {
      const path = withQuery(collectionPath(resource, namespace), { ...query });
      const text = await send(
        {
          verb: "list",
          resource: resourceName(resource),
          target: namespace ?? "",
          method: "GET",
          path,
          idempotent: true,
        },
        { signal, timeoutSeconds },
      );
      const page = JSON.parse(text) as ObjectList<T> & { items?: T[] | null };
      const apiVersion = resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
      const items = (page.items ?? []).map((item) => ({ ...item, apiVersion, kind: resource.kind }));
      return { items, metadata: page.metadata };
    },

    create: (resource, object, writeOptions = {}) =>
      write(
        { verb: "create", method: "POST", json: object, idempotent: false },
        resource,
        refOf(object),
        writeOptions,
      ),

    apply: (resource, object, writeOptions = {}) =>
      write(
        {
          verb: "apply",
          method: "PATCH",
          json: object,
          contentType: "application/apply-patch+yaml",
          idempotent: true,
        },
        resource,
        refOf(object),
        writeOptions,
        { force: true },
      ),

    update: (resource, object, writeOptions = {}) =>
      write(
        { verb: "update", method: "PUT", json: object, idempotent: true },
        resource,
        refOf(object),
        writeOptions,
      ),

    patch: (resource, ref, patch, writeOptions = {}) =>
      write(
        {
          verb: "patch",
          method: "PATCH",
          json: patch,
          contentType: `application/${Array.isArray(patch) ? "json" : "merge"}-patch+json`,
          idempotent: false,
        },
        resource,
        ref,
        writeOptions,
      ),

    delete: async (resource, ref, deleteOptions = {}) => {
      const text = await send(
        {
          verb: "delete",
          resource: resourceName(resource),
          target: targetName(ref),
          method: "DELETE",
          path: objectPath(resource, ref),
          json: deleteBody(deleteOptions),
          // Without the UID a second try could hit a successor of the same name.
          idempotent: deleteOptions.preconditions !== undefined,
        },
        deleteOptions,
      );
      return JSON.parse(text) as DeleteAnswer;
    },

    evict: async (ref, deleteOptions = {}) => {
      await send(
        {
          verb: "create",
          resource: resourceName(PODS, "eviction"),
          target: targetName(ref),
          method: "POST",
          path: objectPath(PODS, ref, "eviction"),
          json: {
            apiVersion: "policy/v1",
            kind: "Eviction",
            metadata: ref,
            deleteOptions: deleteBody(deleteOptions),
          },
          idempotent: false,
          tooManyRequestsIsFinal: true,
        },
        deleteOptions,
      );
    },

    log: (ref, { signal, timeoutSeconds, ...query }) =>
      send(logCall(ref, { ...query }), { signal, ...(timeoutSeconds !== undefined && { timeoutSeconds }) }),

    streamLog: (ref, { signal, ...query }) => requester.stream(logCall(ref, { ...query }), signal),

    watch: (resource, { namespace, inactivitySeconds, signal, ...query }) =>
      openWatch(requester, options.clock, {
        verb: "watch",
        resource: resourceName(resource),
        target: namespace ?? "",
        method: "GET",
        path: withQuery(collectionPath(resource, namespace), {
          watch: true,
          allowWatchBookmarks: true,
          ...query,
        }),
        idempotent: true,
        timeoutSeconds: inactivitySeconds,
        signal,
      }),

    version: async (callOptions = {}) => {
      const { gitVersion } = JSON.parse(await send(pathCall("/version"), callOptions)) as {
        gitVersion: string;
      };
      return gitVersion;
    },

    discover: async (apiVersion, callOptions = {}) => {
      try {
        const path = groupVersionPath(apiVersion);
        const found = JSON.parse(await send(pathCall(path), callOptions)) as {
          resources: { name: string }[];
        };
        return new Set(found.resources.map((each) => each.name).filter((name) => !name.includes("/")));
      } catch (error) {
        if (isNotFound(error)) return new Set();
        throw error;
      }
    },
  };
}

const pathCall = (path: string) =>
  ({ verb: "get", resource: path, target: "", method: "GET", path, idempotent: true }) as const;

const logCall = (ref: ObjectRef, query: Query) =>
  ({
    verb: "get",
    resource: resourceName(PODS, "log"),
    target: targetName(ref),
    method: "GET",
    path: withQuery(objectPath(PODS, ref, "log"), query),
    idempotent: true,
  }) as const;

function refOf({ kind, metadata }: KubeObject): ObjectRef {
  if (metadata.name === undefined) throw new Error(`a ${kind} without metadata.name can't be written`);
  return { name: metadata.name, namespace: metadata.namespace };
}

function deleteBody({ preconditions, propagationPolicy, gracePeriodSeconds, dryRun }: DeleteOptions) {
  return {
    apiVersion: "meta.k8s.io/v1",
    kind: "DeleteOptions",
    preconditions,
    propagationPolicy,
    gracePeriodSeconds,
    ...(dryRun && { dryRun: ["All"] }),
  };
}
