import type { Logger } from "pino";
import { resources } from "../../charts/resources.ts";
import type { Client } from "../runtime/client-api.ts";
import type { Clock } from "../runtime/clock.ts";
import type { OwnWrites } from "../runtime/consistency.ts";
import type { Reconcile, ReconcileResult } from "../runtime/controller.ts";
import { isNamespaceTerminating } from "../runtime/errors.ts";
import type { Announcer } from "./announce.ts";
import { byDeployment, type Caches } from "./caches.ts";
import { type Decision, decide } from "./decide.ts";
import { mergePatch } from "./difference.ts";
import { execute } from "./execute.ts";
import { farewell } from "./farewell.ts";
import type { ProgressFollower } from "./follow-progress.ts";
import { keyOf, parseKey } from "./keys.ts";
import { nodeTimeouts } from "./loss.ts";
import type { DeploymentMetrics } from "./metrics.ts";
import type { Deployment } from "./objects.ts";
import { computeDomainsOf, nodesOf, observe, pledgesOnRecord, readSpec, readStatus } from "./observe.ts";
import type { Observed } from "./observed.ts";
import { type Obstacle, obstacleOf, obstacleRetrySeconds } from "./obstacles.ts";
import { reclaims } from "./reclaim.ts";
import { recoveryPolicy } from "./recovery.ts";
import { isUrgent, type Report, report } from "./report.ts";
import { createReservations } from "./reservations.ts";
import { updateReason, updateReasons, type Wave } from "./wave.ts";

export interface ReconcilerOptions {
  readonly client: Client;
  readonly caches: Caches;
  readonly progress: ProgressFollower;
  readonly ownWrites: OwnWrites;
  readonly clock: Clock;
  readonly announcer: Announcer;
  readonly wave: Wave;
  readonly metrics: DeploymentMetrics;
}

/** Progress that is not urgent is told at most this often per deployment. */
const progressSeconds = 5;
/** The write's own event comes sooner; this is for a cache that is stuck. */
const unseenSeconds = 2;

/** What one process remembers of a deployment between reconciles. Losing it costs a write, never a decision. */
interface Memory {
  obstacle?: Obstacle | undefined;
  reportedAt?: number;
  /** UID of the deployment whose namespace is being deleted: for it, too, nothing may be made any more. */
  ending?: string;
}

/** Brings one MiMoDeployment a step closer to what it asks for. */
export function createReconciler({
  client,
  caches,
  progress,
  ownWrites,
  clock,
  announcer,
  wave,
  metrics,
}: ReconcilerOptions): Reconcile {
  const memories = new Map<string, Memory>();
  const reservations = createReservations(caches.pods);
  for (const pledge of pledgesOnRecord(caches)) reservations.hold(pledge);

  return async (key, signal, log) => {
    const ref = parseKey(key);
    const unseen = ownWrites.unseen(key);
    if (unseen !== undefined) {
      log.debug({ unseen }, "waiting until the caches show the last write");
      return { requeueAfterSeconds: unseenSeconds };
    }
    const deployment = caches.deployments.get(ref);
    // Children are the garbage collector's once the deployment is being deleted: nothing may be made any more.
    const isEnding = deployment !== undefined && memories.get(key)?.ending === deployment.metadata.uid;
    if (deployment === undefined || deployment.metadata.deletionTimestamp !== undefined || isEnding) {
      if (!isEnding) memories.delete(key);
      metrics.forgot(key);
      caches.capacity.waits(key, false);
      const pods = caches.pods.byIndex(byDeployment, key);
      const spec = deployment === undefined ? undefined : readSpec(deployment);
      const { nodeLossTimeoutSeconds } = recoveryPolicy(spec?.ok ? spec.value.recovery : undefined);
      const watch = { nodes: nodesOf(pods, caches), nodeLossTimeoutSeconds, now: clock.now() };
      const statefulSets = caches.statefulSets.byIndex(byDeployment, key);
      const computeDomains = computeDomainsOf(key, caches) ?? [];
      const stages = farewell({ deployment, statefulSets, pods, computeDomains }, watch);
      await execute(key, ref.namespace, stages, {
        client,
        ownWrites,
        log,
        signal,
        announce: () => undefined,
      });
      if (deployment === undefined && stages.flat().length === 0) ownWrites.forget(key);
      return sooner({}, Math.min(...nodeTimeouts(watch)));
    }
    const memory = memories.get(key) ?? {};
    memories.set(key, memory);

    const takesTurn = updateReason(deployment) === updateReasons.waiting && wave.takeTurn(key);
    const observed = observe(key, deployment, caches, reservations, progress, takesTurn, clock.now());
    metrics.looked(key, observed);
    const decision = decide(observed);
    // Before anything is awaited: meanwhile others decide.
    for (const { id, statefulSet } of observed.groups)
      if (decision.problems.has(id)) reservations.release(statefulSet.metadata.uid);
    for (const pledge of decision.pledges) reservations.hold(pledge);
    caches.capacity.waits(key, decision.problems.size > 0);
    if (decision.stages.flat().length === 0) memory.obstacle = undefined;
    const facts = (): Report => factsOf(deployment, observed, decision, memory.obstacle);
    // The first status waits for the first writes: they are seen at once, and one status then tells of both.
    const isNew = observed.status?.observedGeneration === undefined;
    const isFirst = isNew && observed.groups.length === 0 && decision.stages.flat().length > 0;
    const told: Told = isFirst ? { deployment, result: {} } : await tell(deployment, facts(), memory, signal);
    try {
      const makes = !isNew && decision.stages.flat().some((step) => step.do === "create");
      if (makes && !(await stillStands(deployment, signal))) return sooner(told.result, unseenSeconds * 1000);
      const reclaimed = makes ? await reclaims(observed, client, signal) : [];
      const stages = reclaimed.length > 0 ? [reclaimed] : decision.stages;
      await execute(key, ref.namespace, stages, {
        client,
        ownWrites,
        log,
        signal,
        announce: (step) => announcer.step(deployment, step),
      });
      memory.obstacle = undefined;
    } catch (error) {
      if (isNamespaceTerminating(error)) {
        memory.ending = deployment.metadata.uid;
        return { requeueAfterSeconds: 0 };
      }
      memory.obstacle = obstacleOf(error);
      const meets = isFirst || memory.obstacle !== undefined;
      const { result } = meets ? await tell(told.deployment, facts(), memory, signal) : told;
      if (memory.obstacle === undefined) throw error;
      logObstacle(log, memory.obstacle);
      // What stands in the way now may be another thing than what the status still says.
      return sooner(result, obstacleRetrySeconds * 1000);
    }
    return sooner(told.result, decision.wakeMilliseconds);
  };

  /**
   * Asked before anything is made for a deployment that isn't new. The caches of two kinds are not of one moment: children
   * that the garbage collector took may be missing in theirs while the deployment is still in its own, and what is made
   * then is litter.
   */
  async function stillStands({ metadata }: Deployment, signal: AbortSignal): Promise<boolean> {
    const { namespace, name, uid } = metadata;
    const fieldSelector = `metadata.name=${name}`;
    const { items } = await client.list(resources.mimoDeployments, { namespace, fieldSelector, signal });
    return items.some((each) => each.metadata.uid === uid && each.metadata.deletionTimestamp === undefined);
  }

  /** Writes the status if it says something new, or says when to come back for news that can wait. */
  async function tell(
    deployment: Deployment,
    facts: Report,
    memory: Memory,
    signal: AbortSignal,
  ): Promise<Told> {
    const before = readStatus(deployment);
    const after = report(facts, before, new Date(clock.now()));
    const patch = mergePatch(deployment.status ?? {}, after);
    if (patch === undefined) return { deployment, result: {} };
    const quietSeconds =
      memory.reportedAt === undefined ? progressSeconds : (clock.monotonic() - memory.reportedAt) / 1000;
    if (!isUrgent(before, after) && quietSeconds < progressSeconds)
      return { deployment, result: { requeueAfterSeconds: progressSeconds - quietSeconds } };

    const { namespace, name, uid } = deployment.metadata;
    // The UID keeps a status off a new object of the same name.
    const written = await client.patch(
      resources.mimoDeployments,
      { namespace, name },
      { metadata: { uid }, status: patch },
      { signal, subresource: "status" },
    );
    ownWrites.wrote(keyOf(namespace, name), resources.mimoDeployments, written);
    memory.reportedAt = clock.monotonic();
    const [stalled, earlier] = [after, before].map((status) =>
      status?.conditions?.find(({ type }) => type === "Stalled"),
    );
    if (stalled?.status === "True" && stalled.message !== earlier?.message)
      announcer.stalled(deployment, stalled);
    return { deployment: { ...deployment, status: after }, result: {} };
  }
}

interface Told {
  readonly deployment: Deployment;
  readonly result: ReconcileResult;
}

function factsOf(
  deployment: Deployment,
  observed: Observed,
  decision: Decision,
  obstacle: Obstacle | undefined,
): Report {
  const [conflict] = decision.conflicts;
  const taken: Obstacle | undefined =
    conflict === undefined
      ? undefined
      : {
          reason: "NameTaken",
          message: `${decision.conflicts.join(", ")}: another controller owns it; it is left as it is`,
        };
  const short: Obstacle | undefined =
    decision.shortage === undefined ? undefined : { reason: "QuotaExceeded", message: decision.shortage };
  return {
    name: deployment.metadata.name,
    namespace: deployment.metadata.namespace ?? "",
    generation: deployment.metadata.generation,
    decision,
    obstacle: obstacle ?? decision.obstacle ?? taken ?? short,
    groups: observed.groups,
    policy: recoveryPolicy(observed.spec.ok ? observed.spec.value.recovery : undefined),
  };
}

/** The earlier of two times to look again. */
function sooner(a: ReconcileResult, wakeMilliseconds: number | undefined): ReconcileResult {
  const seconds = Math.min(
    a.requeueAfterSeconds ?? Number.POSITIVE_INFINITY,
    (wakeMilliseconds ?? Number.POSITIVE_INFINITY) / 1000,
  );
  return Number.isFinite(seconds) ? { requeueAfterSeconds: seconds } : {};
}

const logObstacle = (log: Logger, { reason, message }: Obstacle): void =>
  log.warn({ reason, retryInSeconds: obstacleRetrySeconds }, message);
