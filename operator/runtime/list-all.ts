import type { ApiResource, KubeObject } from "../../charts/kubernetes.ts";
import type { Client, Selection } from "./client-api.ts";
import { isGone } from "./errors.ts";

export interface FullList<T> {
  readonly items: T[];
  readonly resourceVersion: string;
}

export interface FullListOptions<T> extends Selection {
  /** What is wanted of an object. The rest of a page is let go before the next is asked for. */
  readonly read: (object: KubeObject) => T;
  readonly signal: AbortSignal;
  /** Any state at least this new will do; absent: the present state. */
  readonly notOlderThan?: string | undefined;
}

/** A start holds a page of whole objects for each kind that it lists. */
const PAGE_SIZE = 200;

/** All objects of a resource as of one resourceVersion, page by page. */
export async function listAll<T>(
  client: Client,
  resource: ApiResource,
  { read, signal, notOlderThan, ...selection }: FullListOptions<T>,
): Promise<FullList<T>> {
  const items: T[] = [];
  for (let next: string | undefined; ; ) {
    try {
      const page = await client.list<KubeObject>(resource, {
        ...selection,
        signal,
        limit: PAGE_SIZE,
        // The continue token already says which version is read.
        ...(next === undefined
          ? notOlderThan !== undefined && {
              resourceVersion: notOlderThan,
              resourceVersionMatch: "NotOlderThan",
            }
          : { continue: next }),
      });
      items.push(...page.items.map(read));
      next = page.metadata.continue;
      if (!next) return { items, resourceVersion: page.metadata.resourceVersion ?? "" };
    } catch (error) {
      if (next === undefined || !isGone(error)) throw error;
      // The snapshot was compacted between two pages; only one big page is sure to be consistent.
      const whole = await client.list<KubeObject>(resource, { ...selection, signal });
      return { items: whole.items.map(read), resourceVersion: whole.metadata.resourceVersion ?? "" };
    }
  }
}
