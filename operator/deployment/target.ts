import { acceptDeployment } from "../../charts/accept.ts";
import { annotations } from "../../charts/names.ts";
import { controllerRevision } from "../../charts/render.ts";
import { resources } from "../../charts/resources.ts";
import { freeze } from "../../charts/revision.ts";
import type { DeploymentSpec } from "../../crds/deployment.ts";
import type { Refusal, ServingPlan } from "../../synth/serving-plan.ts";
import { planChanges } from "./changes.ts";
import { overlay } from "./difference.ts";
import { type Revision, specHash } from "./frozen.ts";
import type { Observed } from "./observed.ts";
import type { Step } from "./steps.ts";

/** A changed plan of the same request. */
export interface Update {
  readonly hash: string;
  /** In words. */
  readonly changes: readonly string[];
  /** Whether the platform's wave brings it, and has come; "no": somebody has to ask for it. */
  readonly wave: "no" | "waits" | "itsTurn";
}

/** What groups are to run, and how that came about. */
export interface Target {
  /** The revision that the request resolves to; undefined while none was ever accepted. */
  readonly requested: Revision | undefined;
  /** The revision that groups should run: the requested one, or an earlier one that somebody or a failure went back to. */
  readonly revision: Revision | undefined;
  /** Why it isn't the requested one. */
  readonly rolledBack?: string;
  readonly refusals: readonly Refusal[];
  /** What today's catalogue and platform would make of the request, where that is something else. */
  readonly update?: Update;
  /** Set when the requested revision isn't stored yet, or not as the newest. */
  readonly write?: Step;
}

/**
 * Intents, with the revision to which today's catalogue and this platform resolve them. Planning is pure: the same request
 * with the same platform needn't be planned again to see it.
 */
const confirmed = new WeakMap<Observed["platform"], Set<string>>();
/** About 100 bytes each. Beyond it each is planned once more. */
const confirmedLimit = 20_000;

const isConfirmed = (platform: Observed["platform"], intent: string, hash: string): boolean =>
  confirmed.get(platform)?.has(`${intent} ${hash}`) ?? false;

function confirm(platform: Observed["platform"], intent: string, hash: string): void {
  const known = confirmed.get(platform);
  if (known === undefined || known.size >= confirmedLimit)
    confirmed.set(platform, new Set([`${intent} ${hash}`]));
  else known.add(`${intent} ${hash}`);
}

/** A stored revision stands for as long as the intent does; only a new intent, or a wish, is planned with today's knowledge. */
export function findTarget(observed: Observed): Target {
  const { name, namespace, spec, platform, revisions } = observed;
  const newest = [...revisions].sort((a, b) => b.number - a.number)[0];
  const standing = (refusals: readonly Refusal[]): Target => ({
    requested: newest,
    revision: newest,
    refusals,
  });
  if (!spec.ok) return standing(spec.refusals);

  const intent = specHash(spec.value);
  const frozen = newest?.specHash === intent ? newest : undefined;
  if (!platform.ok) return frozen === undefined ? standing(platform.refusals) : goBack(observed, frozen);
  if (frozen !== undefined && isConfirmed(platform, intent, frozen.hash)) return goBack(observed, frozen);
  const result = acceptDeployment({ name, namespace, spec: spec.value }, platform.value);
  // What runs was accepted once: a catalogue or platform that would refuse it today changes nothing.
  if (!result.accepted) return frozen === undefined ? standing(result.refusals) : goBack(observed, frozen);

  const rendered = freeze(result.plan);
  const hash = rendered.revision;
  confirm(platform, intent, hash);
  if (frozen === undefined) {
    return store(observed, result.plan, rendered, intent, newest, "freezes the plan of a new request");
  }
  if (frozen.hash === hash) return goBack(observed, frozen);
  const changes = planChanges(frozen.plan, result.plan);
  const inWave = platform.value?.updates?.adoption === "Wave" && isUpdatable(spec.value, observed);
  if (observed.annotations[annotations.adopt] === hash || (inWave && observed.hasTurn)) {
    const said = changes.join("; ") || "pods are rendered otherwise";
    return store(observed, result.plan, rendered, intent, newest, `adopts the changed plan: ${said}`);
  }
  const wave = !inWave ? "no" : observed.takesTurn ? "itsTurn" : "waits";
  return { ...goBack(observed, frozen), update: { hash, changes, wave } };
}

/** A rollout that its owner has paused, or stopped half-way, isn't begun by the platform. */
const isUpdatable = ({ rollout, suspend }: DeploymentSpec, observed: Observed): boolean =>
  rollout?.paused !== true &&
  (rollout?.partition ?? 0) === 0 &&
  suspend !== true &&
  observed.annotations[annotations.suspended] !== "true" &&
  (observed.annotations[annotations.rollback] ?? "") === "";

/** Makes a plan the newest revision: an earlier one of the same content, or a new one. */
function store(
  observed: Observed,
  plan: ServingPlan,
  { revision: hash, template }: ReturnType<typeof freeze>,
  intent: string,
  newest: Revision | undefined,
  reason: string,
): Target {
  const number = (newest?.number ?? 0) + 1;
  const resource = resources.controllerRevisions;
  const known = observed.revisions.find((revision) => revision.hash === hash);
  if (known?.object !== undefined) {
    const { apiVersion, kind } = known.object;
    const marks = {
      apiVersion,
      kind,
      // Asked for again, it gets another chance.
      metadata: { annotations: { [annotations.specHash]: intent, [annotations.failed]: "" } },
      revision: number,
    };
    const object = overlay(known.object, marks);
    const write: Step = {
      do: "update",
      resource,
      object,
      reason: "the request resolves to this earlier revision",
    };
    const revision = { ...known, number, specHash: intent, failed: undefined };
    return { requested: revision, revision, refusals: [], write };
  }
  const { owner } = observed;
  const object = controllerRevision({ plan, template, revision: hash, number, specHash: intent, owner });
  const write: Step = { do: "create", resource, object, reason };
  const revision = { hash, number, specHash: intent, plan, template, failed: undefined, object: undefined };
  return { requested: revision, revision, refusals: [], write };
}

/** The requested revision, unless a person or its failure went back to an earlier one. */
function goBack(observed: Observed, requested: Revision): Target {
  const earlier = (hash: string | undefined): Revision | undefined =>
    observed.revisions.find((revision) => revision.hash === hash && hash !== requested.hash);

  const [from, to] = observed.annotations[annotations.rollback]?.split(":") ?? [];
  const wished = from === requested.hash ? earlier(to) : undefined;
  if (wished !== undefined)
    return {
      requested,
      revision: wished,
      refusals: [],
      rolledBack: `rolled back by the annotation ${annotations.rollback}`,
    };

  const good = requested.failed === undefined ? undefined : earlier(observed.status?.lastGoodRevision);
  if (good !== undefined)
    return { requested, revision: good, refusals: [], rolledBack: requested.failed ?? "" };
  return { requested, revision: requested, refusals: [] };
}

/** The requested revision is a changed plan of a request that had another one before, and hasn't served all groups yet. */
export const isAdoption = ({ revisions, status }: Observed, requested: Revision | undefined): boolean =>
  requested !== undefined &&
  status?.lastGoodRevision !== requested.hash &&
  revisions.some(({ hash, specHash }) => hash !== requested.hash && specHash === requested.specHash);

/** Revisions kept beyond those in use, for going back. */
const historyLimit = 10;

/** Revisions that nothing needs any more, newest first. */
export function oldRevisions(
  { revisions, groups, status }: Observed,
  needed: readonly (Revision | undefined)[],
): Revision[] {
  const used = new Set([
    ...needed.map((revision) => revision?.hash),
    ...groups.map(({ revision }) => revision),
    status?.lastGoodRevision,
  ]);
  const spare = revisions.filter(({ hash }) => !used.has(hash)).sort((a, b) => b.number - a.number);
  return spare.slice(historyLimit);
}
