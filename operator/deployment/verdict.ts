import { annotations } from "../../charts/names.ts";
import { resources } from "../../charts/resources.ts";
import type { DeploymentSpec } from "../../crds/deployment.ts";
import type { Revision } from "./frozen.ts";
import { serves } from "./groups.ts";
import type { Observed } from "./observed.ts";
import { revisionFailure } from "./revision-failure.ts";
import type { Step } from "./steps.ts";
import type { Target } from "./target.ts";

/** Why groups of a revision don't become Ready; only where an update is under way, for a first revision has no way back. */
export function failureOf(revision: Revision, { groups, now }: Observed): string | undefined {
  for (const group of groups) {
    if (group.revision !== revision.hash || serves(group)) continue;
    const failure = revisionFailure(group, group.recovery, revision.plan.startupSeconds, now);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** Puts on record that the requested revision failed, so that the last good one is run instead. */
export function rollsBack(
  spec: DeploymentSpec,
  { requested, revision }: Target,
  observed: Observed,
  failure: string | undefined,
): Step[] {
  const good = observed.status?.lastGoodRevision;
  const possible =
    good !== undefined && good !== requested?.hash && observed.revisions.some(({ hash }) => hash === good);
  if (spec.rollout?.onFailure !== "Rollback" || failure === undefined || !possible) return [];
  if (requested === undefined || requested.hash !== revision?.hash || requested.object === undefined)
    return [];
  const path = `/metadata/annotations/${annotations.failed.replace("/", "~1")}`;
  return [
    {
      do: "patch",
      resource: resources.controllerRevisions,
      name: requested.object.metadata.name,
      patch: [{ op: "add", path, value: failure }],
      reason: `revision ${requested.hash} failed, back to ${good}: ${failure}`,
      event: "RollingBack",
    },
  ];
}
