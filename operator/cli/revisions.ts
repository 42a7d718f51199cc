import { labels } from "../../charts/names.ts";
import { resources } from "../../charts/resources.ts";
import { planChanges } from "../deployment/changes.ts";
import { type Revision, readRevision } from "../deployment/frozen.ts";
import { type Child, childView, controllerOf, type Deployment } from "../deployment/objects.ts";
import { type Cluster, CommandError } from "./cluster-access.ts";

/** A revision as it is stored. */
export type StoredRevision = Revision & { readonly object: Child };

/** The revisions of a deployment, oldest first. The last one is what the request resolves to. */
export async function listRevisions(
  { client, namespace }: Cluster,
  deployment: Deployment,
): Promise<StoredRevision[]> {
  const { name, uid } = deployment.metadata;
  const { items } = await client.list(resources.controllerRevisions, {
    namespace,
    labelSelector: `${labels.revisionOf}=${name}`,
  });
  return items
    .map((item) => childView.parse(item))
    .filter((object) => controllerOf(object)?.uid === uid)
    .flatMap((object) => {
      const revision = readRevision(object, object.metadata.labels?.[labels.revision] ?? "");
      return revision === undefined ? [] : [{ ...revision, object }];
    })
    .sort((a, b) => a.number - b.number);
}

/** @throws CommandError when there is none of that number */
export function findRevision(revisions: readonly StoredRevision[], number: number): StoredRevision {
  const found = revisions.find((revision) => revision.number === number);
  if (found !== undefined) return found;
  const known = revisions.map((revision) => revision.number).join(", ") || "none";
  throw new CommandError(`there is no revision ${number}; there are: ${known}`);
}

/** What differs, in words; empty when nothing does. */
export function revisionChanges(from: Revision, to: Revision): string[] {
  if (from.hash === to.hash) return [];
  const changes = planChanges(from.plan, to.plan);
  return changes.length > 0 ? changes : ["pods are rendered otherwise"];
}
