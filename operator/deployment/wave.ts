/**
 * The wave in which a platform lets its deployments take up changed plans: a few at a time, and no further once one failed.
 * Who is where is read off the deployments' own UpdateAvailable conditions. A turn is put on record there before it is used,
 * so a new operator goes on where the last one stopped.
 */
import { z } from "zod";
import type { PlatformSpec } from "../../crds/platform.ts";
import type { Deployment } from "./objects.ts";

/** Reasons of the condition UpdateAvailable. */
export const updateReasons = {
  none: "UpToDate",
  available: "PlanChanged",
  waiting: "WaitsForItsTurn",
  adopting: "Adopting",
  failed: "AdoptionFailed",
} as const;

const told = z.object({
  conditions: z.array(z.object({ type: z.string(), reason: z.string() })),
});

/** The reason of a deployment's UpdateAvailable; undefined before the first report. */
export function updateReason(deployment: Deployment | undefined): string | undefined {
  const read = told.safeParse(deployment?.status);
  return read.data?.conditions.find(({ type }) => type === "UpdateAvailable")?.reason;
}

/** No further deployment may begin while this one is about it, or has failed. */
export function holdsUpWave(deployment: Deployment | undefined): boolean {
  const reason = updateReason(deployment);
  return reason === updateReasons.adopting || reason === updateReasons.failed;
}

/** What the platform allows, and the keys of the deployments by where they stand. */
export interface Standing {
  readonly updates: PlatformSpec["updates"];
  readonly waiting: readonly string[];
  readonly adopting: readonly string[];
  readonly failed: readonly string[];
}

export interface Wave {
  /** Whether the deployment may begin. Its slot stays taken until the caches show that it is on record. */
  takeTurn(key: string): boolean;
  /** Those that may begin now. */
  next(): string[];
}

export function createWave(look: () => Standing): Wave {
  /** Turns that are taken and not on record yet. */
  const taken = new Set<string>();

  function next(): string[] {
    const { updates, waiting, adopting, failed } = look();
    for (const key of taken) if (!waiting.includes(key)) taken.delete(key);
    if (updates?.adoption !== "Wave" || failed.length > 0) return [];
    // The CRD documents the same figure.
    const slots = (updates.maxConcurrent ?? 1) - adopting.length - taken.size;
    return slots <= 0
      ? []
      : waiting
          .filter((key) => !taken.has(key))
          .sort()
          .slice(0, slots);
  }

  return {
    next,
    takeTurn: (key) => {
      const isNext = next().includes(key);
      if (isNext) taken.add(key);
      return isNext || taken.has(key);
    },
  };
}
