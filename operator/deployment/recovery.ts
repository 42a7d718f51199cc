import { createHash } from "node:crypto";
import { z } from "zod";
import type { DeploymentSpec } from "../../crds/deployment.ts";
import { groupFailure } from "../../crds/status.ts";
import type { Formation } from "./formation.ts";
import type { Loss } from "./loss.ts";

/** What a group remembers of its losses, on its StatefulSet: written before the pods of a broken formation go. */
export const recoveryRecord = z.object({
  /** A new revision starts with a clean slate. */
  revision: z.string(),
  /** The newest formation that lost a rank: all its pods go. */
  broken: z.int(),
  /** That loss was in good order, so rank 0 may finish its requests. */
  orderly: z.boolean(),
  /** Losses that count against the group. */
  failures: z.array(z.object({ formation: z.int(), at: z.int(), node: z.string() })),
  lastFailure: groupFailure.exactOptional(),
  /** The last formation of which some rank got no node in time. */
  unplaced: z
    .object({
      formation: z.int(),
      at: z.int(),
      /** NVLink domain; absent where any node would do. */
      domain: z.string().exactOptional(),
      /** The scheduler's. */
      words: z.string(),
    })
    .exactOptional(),
  /** Set when no further formation is tried. */
  gaveUp: z.string().exactOptional(),
  /** The retry annotation's value that was already honoured. */
  retry: z.string().exactOptional(),
});
export type Recovery = z.output<typeof recoveryRecord>;
export type Unplaced = NonNullable<Recovery["unplaced"]>;

export const cleanRecovery = (revision: string): Recovery => ({
  revision,
  broken: 0,
  orderly: false,
  failures: [],
});

export interface RecoveryPolicy {
  readonly maxRestarts: number;
  readonly windowSeconds: number;
  readonly nodeLossTimeoutSeconds: number;
}

/** Fills in what the request leaves open; the CRD documents the same figures. */
export const recoveryPolicy = (given: DeploymentSpec["recovery"]): RecoveryPolicy => ({
  maxRestarts: given?.maxRestarts ?? 5,
  windowSeconds: given?.windowSeconds ?? 3600,
  nodeLossTimeoutSeconds: given?.nodeLossTimeoutSeconds ?? 120,
});

/** The first rebuild is immediate; then 10 s, doubled to 5 min. */
const firstDelaySeconds = 10;
const longestDelaySeconds = 300;

/**
 * Adds a loss. One in good order (a drain, a deletion by hand) is no fault of the group. Once more are in the window than
 * allowed, the group is given up.
 */
export function withLoss(
  before: Recovery,
  loss: Loss,
  formation: number,
  policy: RecoveryPolicy,
  now: number,
): Recovery {
  const { gaveUp: _, ...kept } = before;
  const { orderly, ...told } = loss;
  const lastFailure = {
    ...told,
    message: told.message.slice(-2000),
    time: `${new Date(now).toISOString().slice(0, 19)}Z`,
  };
  const earlier = recent(before, policy, now);
  const failures = orderly ? earlier : [...earlier, { formation, at: now, node: loss.node }];
  const after = { ...kept, broken: formation, orderly, failures, lastFailure };
  if (failures.length <= policy.maxRestarts) return after;
  const gaveUp = `rebuilt ${policy.maxRestarts} times within ${policy.windowSeconds} s, and lost ${loss.pod} again: ${loss.reason}`;
  return { ...after, gaveUp };
}

export const recent = (
  record: Recovery,
  { windowSeconds }: RecoveryPolicy,
  now: number,
): Recovery["failures"] => record.failures.filter(({ at }) => now - at < windowSeconds * 1000).slice(-100);

/**
 * Milliseconds until the next formation may be tried; 0 when it may now. The jitter comes from the group and the count, so
 * that groups that fell together don't rise together, and a restarted operator waits as long.
 */
export function waitMilliseconds(
  record: Recovery,
  policy: RecoveryPolicy,
  group: string,
  now: number,
): number {
  const failures = recent(record, policy, now);
  const last = failures.at(-1);
  if (last === undefined || failures.length < 2) return 0;
  const seconds = Math.min(longestDelaySeconds, firstDelaySeconds * 2 ** (failures.length - 2));
  const jitter = createHash("sha256").update(`${group}/${failures.length}`).digest().readUInt16BE() / 2 ** 16;
  return Math.max(0, last.at + seconds * (0.8 + 0.4 * jitter) * 1000 - now);
}

/** For so long nodes that the scheduler refused are not tried again: what it counts beside GPUs may change. */
const unplacedSeconds = 120;

/** Milliseconds for which the nodes of a group that got none are still left alone; 0 when they may be tried. */
export const leftAloneMilliseconds = ({ unplaced }: Recovery, now: number): number =>
  unplaced === undefined ? 0 : Math.max(0, unplaced.at + unplacedSeconds * 1000 - now);

/** Puts on record that ranks got no node. It is no fault of the group, and doesn't count against it. */
export const withUnplaced = (
  before: Recovery,
  { id, domain }: Formation,
  words: string,
  now: number,
): Recovery => ({
  ...before,
  broken: id,
  orderly: false,
  unplaced: { formation: id, at: now, words: words.slice(0, 1024), ...(domain !== undefined && { domain }) },
});

/** Nodes on which two or more losses of the window happened. */
export function nodesToAvoid(record: Recovery, policy: RecoveryPolicy, now: number): string[] {
  const blamed = recent(record, policy, now).map(({ node }) => node);
  return [...new Set(blamed.filter((node, index) => node !== "" && blamed.indexOf(node) !== index))].sort();
}
