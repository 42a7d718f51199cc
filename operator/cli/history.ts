import type { DeploymentStatus } from "../../crds/status.ts";
import { readStatus } from "../deployment/observe.ts";
import { formatAge } from "./age.ts";
import { type Cluster, getDeployment } from "./cluster-access.ts";
import { listRevisions, revisionChanges, type StoredRevision } from "./revisions.ts";
import { alignColumns } from "./table.ts";

/** Every stored revision, oldest first: where it stands, and in words what it changed. */
export async function history(cluster: Cluster, name: string): Promise<string> {
  const deployment = await getDeployment(cluster, name);
  const revisions = await listRevisions(cluster, deployment);
  if (revisions.length === 0)
    return `${name} has no revision yet: nothing that it asked for was accepted (\`mimo status ${name}\` says why)\n`;
  return `${historyLines(revisions, readStatus(deployment) ?? {}, new Date()).join("\n")}\n`;
}

export function historyLines(
  revisions: readonly StoredRevision[],
  status: DeploymentStatus,
  now: Date,
): string[] {
  const rows = revisions.map((revision) => [
    String(revision.number),
    revision.hash,
    formatAge(revision.object.metadata.creationTimestamp, now),
    String(status.groups?.filter((group) => group.revision === revision.hash).length ?? 0),
    standing(revision, revisions, status).join(", "),
  ]);
  const [header = "", ...lines] = alignColumns([["REVISION", "HASH", "AGE", "GROUPS", "STANDING"], ...rows]);
  return [
    header,
    ...lines.flatMap((line, index) => {
      const [before, revision] = [revisions[index - 1], revisions[index]];
      const changes = before === undefined || revision === undefined ? [] : revisionChanges(before, revision);
      return [line, ...changes.map((change) => `  ${change}`)];
    }),
  ];
}

function standing(
  { hash, failed }: StoredRevision,
  revisions: readonly StoredRevision[],
  { plan, lastGoodRevision }: DeploymentStatus,
): string[] {
  const isAskedFor = hash === revisions.at(-1)?.hash;
  const isCurrent = hash === plan?.revision;
  return [
    isCurrent ? ["current"] : [],
    isAskedFor && !isCurrent && plan !== undefined ? ["rolled back"] : [],
    hash === lastGoodRevision ? ["last good"] : [],
    failed === undefined ? [] : [`failed: ${failed}`],
  ].flat();
}
