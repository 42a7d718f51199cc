import { readStatus } from "../deployment/observe.ts";
import { type Cluster, CommandError, getDeployment } from "./cluster-access.ts";
import { findRevision, listRevisions, revisionChanges, type StoredRevision } from "./revisions.ts";

export interface DiffOptions {
  /** Absent: the one before `to`. */
  readonly revision?: number;
  /** Absent: the one that groups are to run. */
  readonly to?: number;
}

/** What differs between two revisions, and what the operator would plan otherwise today, in words. */
export async function diff(cluster: Cluster, name: string, options: DiffOptions): Promise<string> {
  const deployment = await getDeployment(cluster, name);
  const status = readStatus(deployment);
  const revisions = await listRevisions(cluster, deployment);
  const lines = diffLines(name, revisions, status?.plan?.revision, options);
  // The operator's own words: another version of this command may plan otherwise.
  const update = status?.conditions?.find(({ type }) => type === "UpdateAvailable");
  const offered =
    update?.status === "True"
      ? ["The same request would be planned otherwise today:", `  ${update.message}`]
      : [];
  return `${[...lines, ...offered].join("\n")}\n`;
}

/** @param current hash of the revision that groups are to run */
export function diffLines(
  name: string,
  revisions: readonly StoredRevision[],
  current: string | undefined,
  options: DiffOptions,
): string[] {
  const to =
    options.to === undefined
      ? (revisions.find(({ hash }) => hash === current) ?? revisions.at(-1))
      : findRevision(revisions, options.to);
  if (to === undefined)
    throw new CommandError(`${name} has no revision yet: nothing that it asked for was accepted`);
  const from =
    options.revision === undefined
      ? revisions[revisions.indexOf(to) - 1]
      : findRevision(revisions, options.revision);
  if (from === undefined) return [`Revision ${to.number} is the first: there is none before it.`];
  const changes = revisionChanges(from, to);
  if (changes.length === 0) return [`Revisions ${from.number} and ${to.number} are the same.`];
  return [`From revision ${from.number} to ${to.number}:`, ...changes.map((change) => `  ${change}`)];
}
