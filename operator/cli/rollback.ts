import { z } from "zod";
import { annotations } from "../../charts/names.ts";
import { resources } from "../../charts/resources.ts";
import type { DeploymentStatus } from "../../crds/status.ts";
import type { Deployment } from "../deployment/objects.ts";
import { readStatus } from "../deployment/observe.ts";
import { type Cluster, CommandError, getDeployment } from "./cluster-access.ts";
import { findRevision, listRevisions, revisionChanges, type StoredRevision } from "./revisions.ts";

/** What going back takes, and what to say of it. */
export interface Rollback {
  /** Value of the rollback annotation: null takes it away; undefined: nothing is to be written. */
  readonly annotation: string | null | undefined;
  readonly lines: readonly string[];
}

/** Asks the operator to run an earlier revision: by an annotation, so that `spec` stays what Git says. */
export async function rollback(
  cluster: Cluster,
  name: string,
  toRevision: number | undefined,
): Promise<string> {
  const { client, namespace } = cluster;
  const deployment = await getDeployment(cluster, name);
  const revisions = await listRevisions(cluster, deployment);
  const { annotation, lines } = planRollback(deployment, revisions, toRevision);
  if (annotation !== undefined) {
    const { uid } = deployment.metadata;
    const metadata = { uid, annotations: { [annotations.rollback]: annotation } };
    await client.patch(resources.mimoDeployments, { namespace, name }, { metadata });
  }
  return `${lines.join("\n")}\n`;
}

const heldSpec = z.object({ rollout: z.object({ paused: z.boolean().optional() }).optional() });

/** @throws CommandError when there is no revision to go back to */
export function planRollback(
  deployment: Deployment,
  revisions: readonly StoredRevision[],
  toRevision: number | undefined,
): Rollback {
  const { name } = deployment.metadata;
  const status = readStatus(deployment) ?? {};
  const asked = revisions.at(-1);
  const current = revisions.find(({ hash }) => hash === status.plan?.revision) ?? asked;
  const target = targetOf(revisions, status, toRevision);
  if (asked === undefined || current === undefined || target === undefined)
    throw new CommandError(`${name} has no earlier revision: there is nothing to go back to`);

  const written = deployment.metadata.annotations?.[annotations.rollback];
  const annotation = target === asked ? null : `${asked.hash}:${target.hash}`;
  if (target === current && (annotation ?? undefined) === written)
    return { annotation: undefined, lines: [`${name} is to run revision ${target.number} already.`] };
  const changes = revisionChanges(current, target);
  const { paused } = heldSpec.parse(deployment.spec).rollout ?? {};
  return {
    annotation,
    lines: [
      `${name} goes back from revision ${current.number} to ${target.number}, group by group as any rollout:`,
      ...changes.map((change) => `  ${change}`),
      target === asked
        ? "That is what spec asks for: the rollback is over."
        : `spec stays as it is. The next change of spec that needs other pods ends the rollback, and so does \`mimo rollback ${name} --to-revision ${asked.number}\`.`,
      ...(paused === true ? ["spec.rollout.paused is true: no group changes until it is false."] : []),
    ],
  };
}

/** The newest that served, unless it is the one that is asked for by spec; then the one before that. */
function targetOf(
  revisions: readonly StoredRevision[],
  { lastGoodRevision }: DeploymentStatus,
  toRevision: number | undefined,
): StoredRevision | undefined {
  if (toRevision !== undefined) return findRevision(revisions, toRevision);
  const earlier = revisions.slice(0, -1);
  return earlier.find(({ hash }) => hash === lastGoodRevision) ?? earlier.at(-1);
}
