import { KubeConfig } from "@kubernetes/client-node";
import { z } from "zod";
import type { ApiResource, KubeObject } from "../../charts/kubernetes.ts";
import { resources } from "../../charts/resources.ts";
import { createClient } from "../../operator/runtime/client.ts";
import type { Client } from "../../operator/runtime/client-api.ts";
import { systemClock as clock } from "../../operator/runtime/clock.ts";
import { type Connection, createConnection } from "../../operator/runtime/connection.ts";
import type { ControlPlane } from "../controlplane/boot.ts";

/** Connection of the program that measures, as the administrator. */
export function connect(controlPlane: ControlPlane): { client: Client; connection: Connection } {
  const connection = createConnection(() => {
    const config = new KubeConfig();
    config.loadFromFile(controlPlane.kubeconfig);
    return config;
  }, clock);
  const options = { userAgent: "bench", fieldManager: "bench", clock, random: Math.random };
  return { client: createClient(connection, options), connection };
}

/** When things of a group were first seen, in milliseconds of `performance.now()`. */
export interface Sighting {
  /** All StatefulSets of the group exist. */
  statefulSets?: number;
  /** Its object's status counts the group. */
  status?: number;
  /** Newest generation that the status speaks of. */
  observedGeneration: number;
}

/** Sees objects as they come, in all namespaces. */
export interface Observer {
  of(group: string): Sighting | undefined;
  /** Groups of which this has been seen. */
  count(what: "statefulSets" | "status"): number;
  stop(): Promise<void>;
}

const told = z.object({
  status: z
    .object({ replicas: z.int().default(0), observedGeneration: z.int().default(0) })
    .default({ replicas: 0, observedGeneration: 0 }),
});
const hours = 3600;

/**
 * Watches StatefulSets and the users' objects from now on.
 * @param perGroup StatefulSets of a whole group; their names begin with the group's, which has no dash.
 */
export async function observe(
  controlPlane: ControlPlane,
  resource: ApiResource,
  perGroup: number,
): Promise<Observer> {
  const { client, connection } = connect(controlPlane);
  const closing = new AbortController();
  const sightings = new Map<string, Sighting>();
  const statefulSets = new Map<string, Set<string>>();
  const counts = { statefulSets: 0, status: 0 };
  let failure: unknown;

  const sightingOf = (name: string): Sighting => {
    const group = name.split("-")[0] ?? "";
    const sighting = sightings.get(group) ?? { observedGeneration: 0 };
    sightings.set(group, sighting);
    return sighting;
  };
  const mark = (sighting: Sighting, what: "statefulSets" | "status"): void => {
    if (sighting[what] !== undefined) return;
    sighting[what] = performance.now();
    counts[what] += 1;
  };

  async function watch(of: ApiResource, see: (object: KubeObject) => void): Promise<void> {
    const { metadata } = await client.list(of, { limit: 1 });
    let resourceVersion = metadata.resourceVersion ?? "";
    const run = async (): Promise<void> => {
      // A server that has much to do ends the watches of those who read slowly.
      while (!closing.signal.aborted) {
        const stream = client.watch(of, {
          resourceVersion,
          timeoutSeconds: 4 * hours,
          inactivitySeconds: 4 * hours,
          signal: closing.signal,
        });
        for await (const { type, object } of stream) {
          resourceVersion = object.metadata.resourceVersion ?? resourceVersion;
          if (type === "ADDED" || type === "MODIFIED") see(object);
        }
      }
    };
    void run().catch((error: unknown) => {
      if (!closing.signal.aborted) failure = error;
    });
  }

  await watch(resources.statefulSets, ({ metadata: { name = "" } }) => {
    const sighting = sightingOf(name);
    const group = name.split("-")[0] ?? "";
    const known = (statefulSets.get(group) ?? new Set<string>()).add(name);
    statefulSets.set(group, known);
    if (known.size === perGroup) mark(sighting, "statefulSets");
  });
  await watch(resource, (object) => {
    const sighting = sightingOf(object.metadata.name ?? "");
    const { status } = told.parse(object);
    sighting.observedGeneration = status.observedGeneration;
    if (status.replicas > 0) mark(sighting, "status");
  });

  const check = (): void => {
    if (failure !== undefined) throw new Error("the watch was cut off: measure again", { cause: failure });
  };
  return {
    of: (group) => sightings.get(group),
    count: (what) => {
      check();
      return counts[what];
    },
    stop: async () => {
      closing.abort();
      await connection.close();
    },
  };
}
