import type { ApiResource, KubeObject } from "../../charts/kubernetes.ts";
import type { Client } from "./client-api.ts";
import type { Clock } from "./clock.ts";
import { isConflict, isNotFound } from "./errors.ts";
import { microTime } from "./micro-time.ts";
import type { ObjectRef } from "./paths.ts";

export interface LeaseLockOptions {
  /** On the "lease" pool, without retries: the elector has its own rhythm. */
  readonly client: Pick<Client, "get" | "create" | "update">;
  readonly lease: ObjectRef;
  readonly identity: string;
  readonly leaseSeconds: number;
  readonly clock: Clock;
}

export type Attempt =
  /** `sentAt`: `clock.monotonic()` when the write was sent, the earliest moment others can count from. */
  { readonly kind: "held"; readonly sentAt: number } | { readonly kind: "taken"; readonly by: string };

/** A Lease object used as a lock. Every write is guarded by the version it replaces. */
export interface LeaseLock {
  /** Takes the lease when it is free or over, renews it when it is ours. Rejects when that could not be found out. */
  tryHold(timeoutSeconds: number, signal: AbortSignal): Promise<Attempt>;
  /** Hands it back, so that another can take it at once. */
  release(timeoutSeconds: number): Promise<void>;
}

interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

export const LEASES: ApiResource = {
  group: "coordination.k8s.io",
  version: "v1",
  plural: "leases",
  kind: "Lease",
  namespaced: true,
};

/**
 * No clock of another machine is believed: a lease is over when this process has seen it unchanged for the
 * lease's duration, measured here.
 */
export function createLeaseLock({
  client,
  lease,
  identity,
  leaseSeconds,
  clock,
}: LeaseLockOptions): LeaseLock {
  let observed: Lease | undefined;
  let observedAt = clock.monotonic();

  function observe(seen: Lease): void {
    if (seen.metadata.resourceVersion !== observed?.metadata.resourceVersion) observedAt = clock.monotonic();
    observed = seen;
  }

  // Also when the Lease object was deleted meanwhile: its holder may not know yet.
  function rival(): string | undefined {
    const spec = observed?.spec;
    if (!spec?.holderIdentity || spec.holderIdentity === identity) return undefined;
    const seconds = spec.leaseDurationSeconds ?? leaseSeconds;
    return clock.monotonic() < observedAt + seconds * 1000 ? spec.holderIdentity : undefined;
  }

  function claim(current: LeaseSpec | undefined): LeaseSpec {
    const now = microTime(clock.now());
    const renewing = current?.holderIdentity === identity;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: leaseSeconds,
      acquireTime: (renewing ? current.acquireTime : undefined) ?? now,
      renewTime: now,
      leaseTransitions: (current?.leaseTransitions ?? 0) + (renewing || current === undefined ? 0 : 1),
    };
  }

  async function read(timeoutSeconds: number, signal?: AbortSignal): Promise<Lease | undefined> {
    try {
      const current = await client.get<Lease>(LEASES, lease, { timeoutSeconds, signal });
      observe(current);
      return current;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async function write(
    previous: Lease | undefined,
    spec: LeaseSpec,
    timeoutSeconds: number,
    signal?: AbortSignal,
  ): Promise<Attempt> {
    const object: Lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: previous?.metadata ?? {
        name: lease.name,
        ...(lease.namespace && { namespace: lease.namespace }),
      },
      spec,
    };
    const sentAt = clock.monotonic();
    const call = { timeoutSeconds, signal };
    const { metadata } =
      previous === undefined
        ? await client.create(LEASES, object, call)
        : await client.update(LEASES, object, call);
    observe({ ...object, metadata });
    return { kind: "held", sentAt };
  }

  return {
    tryHold: async (timeoutSeconds, signal) => {
      // While leading, the version written last is almost surely the current one: one request, not two.
      if (observed?.spec?.holderIdentity === identity) {
        try {
          return await write(observed, claim(observed.spec), timeoutSeconds, signal);
        } catch (error) {
          if (!isConflict(error) && !isNotFound(error)) throw error;
        }
      }
      const current = await read(timeoutSeconds, signal);
      const by = rival();
      return by === undefined
        ? await write(current, claim(current?.spec), timeoutSeconds, signal)
        : { kind: "taken", by };
    },

    release: async (timeoutSeconds) => {
      const now = microTime(clock.now());
      const free = (spec: LeaseSpec | undefined): LeaseSpec => ({
        holderIdentity: "",
        leaseDurationSeconds: 1,
        acquireTime: now,
        renewTime: now,
        leaseTransitions: spec?.leaseTransitions ?? 0,
      });
      try {
        if (observed?.spec?.holderIdentity !== identity) return;
        await write(observed, free(observed.spec), timeoutSeconds);
      } catch (error) {
        if (!isConflict(error)) throw error;
        // A renewal whose answer was lost was stored after all.
        const current = await read(timeoutSeconds);
        if (current?.spec?.holderIdentity === identity)
          await write(current, free(current.spec), timeoutSeconds);
      }
    },
  };
}
