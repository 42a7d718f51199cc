import type { Logger } from "pino";
import type { ApiResource, KubeObject } from "../../charts/kubernetes.ts";
import { type BackoffPolicy, backoffSeconds } from "./backoff.ts";
import type { Client, Selection } from "./client-api.ts";
import { type Clock, pause, type Random } from "./clock.ts";
import { isGone, isNotFound, isResourceVersionTooLarge } from "./errors.ts";
import { listAll } from "./list-all.ts";
import { type ObjectRef, resourceName } from "./paths.ts";
import { compareResourceVersions } from "./resource-version.ts";
import { share } from "./share.ts";
import { createStore, type IndexKeys, refOf, type Store } from "./store.ts";
import type { WatchEvent } from "./watch-stream.ts";

export interface ReflectorOptions<T extends KubeObject> extends Selection {
  readonly client: Client;
  readonly resource: ApiResource;
  /**
   * Keeps only what is read later: the cache holds the result, and nothing of an object that gives undefined. managedFields
   * are already gone. Must not throw.
   */
  readonly transform: (object: KubeObject) => T | undefined;
  readonly indexes?: Readonly<Record<string, IndexKeys<T>>>;
  /**
   * Called after the cache changed: (undefined, new) added, (old, new) changed, (final, undefined) deleted.
   * `final` is the state that came with the deletion where there was one. Should only mark keys as dirty.
   */
  readonly onChange: (old: T | undefined, current: T | undefined) => void;
  /** Called when the API server turned out to serve the resource, or not to, after it was the other way. */
  readonly onAvailability?: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** `absent`: the API server does not serve the resource; looked for again every 30 seconds. */
export type ReflectorState = "listing" | "watching" | "absent" | "failing" | "stopped";

export interface Reflector<T extends KubeObject> extends Store<T> {
  readonly resource: ApiResource;
  /** The one that it follows; undefined for all. */
  readonly namespace: string | undefined;
  state(): ReflectorState;
  /** The cache has told the truth at least once; an absent API truly has no objects. */
  hasSynced(): boolean;
  /** Resolves when `hasSynced`; rejects when the reflector was stopped before. */
  readonly synced: Promise<void>;
  /** `clock.monotonic()` of the last proof that the cache is current: a list, an event or a bookmark. */
  lastEventAt(): number | undefined;
  /** The resourceVersion up to which every event has been seen. */
  resourceVersion(): string | undefined;
  /** Why the last list or watch failed; undefined when all is well. */
  lastError(): string | undefined;
  /** Full lists so far. */
  lists(): number;
  /** Throws the watch away and lists consistently. */
  relist(why: string): void;
  /** Resolves when stopped by its signal. */
  readonly stopped: Promise<void>;
}

/** Bookmarks come about once a minute, so silence this long means a dead connection. */
export const WATCH_INACTIVITY_SECONDS = 150;
/** Somebody who has just installed it waits for this. */
const RECHECK_ABSENT_SECONDS = 30;
const RETRY: BackoffPolicy = { baseSeconds: 0.8, maxSeconds: 30, jitter: 1 };

/** Events come in the order of their versions; where they don't, no version tells any more what the cache has seen. */
class DisorderError extends Error {
  constructor(version: string, last: string) {
    super(`an event of version ${version} came after one of ${last}`);
  }
}

/** What the cache is to hold of an object: `kept` is undefined for nothing. */
interface Trimmed<T> {
  readonly kept: T | undefined;
}

/** An object of the API server's, of which no more is kept than what is read later. */
interface Sighting<T> {
  readonly ref: ObjectRef;
  readonly uid: string | undefined;
  /** undefined: it can't be read. */
  readonly trimmed: Trimmed<T> | undefined;
}

/** Keeps a cache of one resource in step with the API server, for ever. */
export function startReflector<T extends KubeObject>(options: ReflectorOptions<T>): Reflector<T> {
  const { client, resource, clock, random, signal } = options;
  const log = options.log.child({ resource: resourceName(resource) });
  const selection: Selection = {
    namespace: options.namespace,
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
  };
  const store = createStore<T>(options.indexes ?? {});
  const synced = Promise.withResolvers<void>();
  // Whoever awaits `synced` gets the rejection; nobody has to.
  synced.promise.catch(() => undefined);

  let state: ReflectorState = "listing";
  let hasSynced = false;
  let version: string | undefined;
  let lastEventAt: number | undefined;
  let lastError: string | undefined;
  let failures = 0;
  let lists = 0;
  let consistentListWanted = true;
  let interrupt = new AbortController();
  /** The object that was kept last: the next one is mostly like it. */
  let sample: T | undefined;

  function guarded(callback: () => void, object?: T): void {
    try {
      callback();
    } catch (error) {
      log.error({ err: error, object: object?.metadata.name }, "a change handler threw");
    }
  }

  const notify = (old: T | undefined, current: T | undefined): void =>
    guarded(() => options.onChange(old, current), current ?? old);

  function trim(raw: KubeObject): Trimmed<T> | undefined {
    const { managedFields: _, ...metadata } = raw.metadata as KubeObject["metadata"] & {
      managedFields?: unknown;
    };
    try {
      const kept = options.transform({ ...raw, metadata });
      if (kept === undefined) return { kept };
      sample = share(kept, store.get(refOf(raw)) ?? sample ?? kept);
      return { kept: sample };
    } catch (error) {
      log.error(
        { err: error, object: refOf(raw) },
        "an object could not be read and is left out of the cache",
      );
      return undefined;
    }
  }

  function upsert(object: T): void {
    const old = store.get(refOf(object));
    store.set(object);
    if (old !== undefined && old.metadata.uid !== object.metadata.uid) {
      notify(old, undefined);
      notify(undefined, object);
    } else if (old?.metadata.resourceVersion !== object.metadata.resourceVersion || old === undefined) {
      notify(old, object);
    }
  }

  function remove(final: T): void {
    const cached = store.get(refOf(final));
    if (cached !== undefined && cached.metadata.uid !== final.metadata.uid) return;
    store.remove(refOf(final));
    notify(final, undefined);
  }

  function replace(listed: readonly Sighting<T>[]): void {
    const uids = new Set(listed.map(({ uid }) => uid));
    for (const old of store.list()) {
      if (!uids.has(old.metadata.uid)) remove(old);
    }
    for (const each of listed) take(each);
  }

  function take({ ref, trimmed }: Sighting<T>): void {
    if (trimmed === undefined) return;
    const old = store.get(ref);
    if (trimmed.kept !== undefined) upsert(trimmed.kept);
    else if (old !== undefined) remove(old);
  }

  const sighting = (raw: KubeObject): Sighting<T> => ({
    ref: refOf(raw),
    uid: raw.metadata.uid,
    trimmed: trim(raw),
  });

  function heard(): void {
    lastEventAt = clock.monotonic();
    lastError = undefined;
  }

  function markSynced(): void {
    hasSynced = true;
    synced.resolve();
  }

  async function list(): Promise<void> {
    const wasAbsent = state === "absent";
    if (!wasAbsent) state = "listing";
    const known = consistentListWanted ? undefined : version;
    try {
      const { items, resourceVersion } = await listAll(client, resource, {
        ...selection,
        read: sighting,
        signal,
        notOlderThan: known,
      });
      consistentListWanted = false;
      version = resourceVersion;
      replace(items);
      lists += 1;
      heard();
      markSynced();
      if (wasAbsent) {
        state = "listing";
        guarded(() => options.onAvailability?.());
      }
    } catch (error) {
      // The version is unknown to this server (compacted, restored from a backup, or lagging): ask for the present.
      if (isGone(error) || isResourceVersionTooLarge(error)) consistentListWanted = true;
      throw error;
    }
  }

  function handle({ type, object }: WatchEvent): void {
    heard();
    failures = 0;
    const { resourceVersion } = object.metadata;
    if (resourceVersion !== undefined && compareResourceVersions(resourceVersion, version ?? "") < 0)
      throw new DisorderError(resourceVersion, version ?? "");
    version = resourceVersion ?? version;
    if (type === "BOOKMARK") return;
    if (type !== "DELETED") {
      take(sighting(object));
      return;
    }
    const final = trim(object)?.kept ?? store.get(refOf(object));
    if (final !== undefined) remove(final);
  }

  async function watch(from: string): Promise<void> {
    state = "watching";
    const startedAt = clock.monotonic();
    let events = 0;
    const stream = client.watch(resource, {
      ...selection,
      resourceVersion: from,
      timeoutSeconds: Math.round(300 + 300 * random()),
      inactivitySeconds: WATCH_INACTIVITY_SECONDS,
      signal: interrupt.signal,
    });
    for await (const event of stream) {
      events += 1;
      handle(event);
    }
    // A server that closes every watch at once would otherwise be asked in a tight loop.
    if (events === 0 && clock.monotonic() - startedAt < 1000)
      throw new Error("the server closed the watch at once");
    failures = 0;
  }

  async function becomeAbsent(): Promise<void> {
    const wasServed = state !== "absent";
    if (wasServed) log.info("not served by this API server; looking for it again every 30 seconds");
    state = "absent";
    lastError = undefined;
    version = undefined;
    consistentListWanted = true;
    replace([]);
    lastEventAt = clock.monotonic();
    markSynced();
    if (wasServed) guarded(() => options.onAvailability?.());
    await pause(clock, RECHECK_ABSENT_SECONDS * 1000 * (1 + 0.1 * random()), interrupt.signal);
  }

  async function recover(error: unknown): Promise<void> {
    failures += 1;
    lastError = error instanceof Error ? error.message : String(error);
    state = "failing";
    const seconds = backoffSeconds(RETRY, failures, random);
    log.warn(
      { err: error, retryInSeconds: seconds, failures },
      "the cache can't follow the API server for now",
    );
    await pause(clock, seconds * 1000, interrupt.signal);
  }

  async function run(): Promise<void> {
    let listWanted = true;
    while (!signal.aborted) {
      if (interrupt.signal.aborted) {
        interrupt = new AbortController();
        listWanted = true;
      }
      try {
        if (listWanted || version === undefined) await list();
        listWanted = false;
        await watch(version ?? "");
      } catch (error) {
        if (interrupt.signal.aborted || signal.aborted) continue;
        const lostPlace =
          state === "watching" && (isGone(error) || isNotFound(error) || error instanceof DisorderError);
        if (lostPlace) listWanted = true;
        if (isNotFound(error) && !lostPlace) await becomeAbsent();
        else await recover(error);
      }
    }
  }

  const onStop = () => interrupt.abort(signal.reason);
  signal.addEventListener("abort", onStop);
  const stopped = run().finally(() => {
    state = "stopped";
    signal.removeEventListener("abort", onStop);
    synced.reject(new Error(`the cache of ${resourceName(resource)} was stopped before it was filled`));
  });

  return {
    resource,
    namespace: options.namespace,
    get: store.get,
    list: store.list,
    byIndex: store.byIndex,
    get size() {
      return store.size;
    },
    state: () => state,
    hasSynced: () => hasSynced,
    synced: synced.promise,
    lastEventAt: () => lastEventAt,
    resourceVersion: () => version,
    lastError: () => lastError,
    lists: () => lists,
    relist: (why) => {
      // Many keys may ask at once; one list answers them all.
      if (consistentListWanted && state !== "absent") return;
      log.info({ why }, "listing again");
      consistentListWanted = true;
      interrupt.abort(new Error(`listing again: ${why}`));
    },
    stopped,
  };
}
