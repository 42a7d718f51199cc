import { annotations } from "../../charts/names.ts";
import { controllerRevision } from "../../charts/render.ts";
import { resources } from "../../charts/resources.ts";
import { freeze } from "../../charts/revision.ts";
import { planDeployment } from "../../synth/plan.ts";
import type { Refusal } from "../../synth/serving-plan.ts";
import { overlay } from "./difference.ts";
import { type Revision, specHash } from "./frozen.ts";
import type { Observed } from "./observed.ts";
import type { Step } from "./steps.ts";

/** Revisions kept beyond those in use, for going back. */
const historyLimit = 10;

interface CurrentRevision {
  readonly revision: Revision | undefined;
  readonly refusals: readonly Refusal[];
  /** Set when the revision isn't stored yet, or not as the newest. */
  readonly write?: Step;
}

/** A stored revision stands for as long as the intent does; only a new intent is planned with today's catalogue and platform. */
export function currentRevision(observed: Observed): CurrentRevision {
  const { name, namespace, spec, platform, revisions, owner } = observed;
  const newest = [...revisions].sort((a, b) => b.number - a.number)[0];
  if (!spec.ok) return { revision: newest, refusals: spec.refusals };
  const intent = specHash(spec.value);
  if (newest?.specHash === intent) return { revision: newest, refusals: [] };
  if (!platform.ok) return { revision: newest, refusals: platform.refusals };

  const result = planDeployment({ name, namespace, spec: spec.value }, platform.value);
  if (!result.accepted) return { revision: newest, refusals: result.refusals };

  const { plan } = result;
  const { revision: hash, template } = freeze(plan);
  const number = (newest?.number ?? 0) + 1;
  const resource = resources.controllerRevisions;
  const known = revisions.find((revision) => revision.hash === hash);
  if (known?.object !== undefined) {
    const { apiVersion, kind } = known.object;
    const marks = {
      apiVersion,
      kind,
      metadata: { annotations: { [annotations.specHash]: intent } },
      revision: number,
    };
    const object = overlay(known.object, marks);
    const write: Step = {
      do: "update",
      resource,
      object,
      reason: "the request resolves to this earlier revision",
    };
    return { revision: { ...known, number, specHash: intent }, refusals: [], write };
  }
  const object = controllerRevision({ plan, template, revision: hash, number, specHash: intent, owner });
  const write: Step = { do: "create", resource, object, reason: "freezes the plan of a new request" };
  return {
    revision: { hash, number, specHash: intent, plan, template, object: undefined },
    refusals: [],
    write,
  };
}

/** Revisions that no group runs and that are beyond the kept history, newest first. */
export function oldRevisions({ revisions, groups }: Observed, current: Revision): Revision[] {
  const used = new Set([current.hash, ...groups.map(({ revision }) => revision)]);
  const spare = revisions.filter(({ hash }) => !used.has(hash)).sort((a, b) => b.number - a.number);
  return spare.slice(historyLimit);
}
