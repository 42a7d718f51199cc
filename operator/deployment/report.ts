import { rank0Selector } from "../../charts/names.ts";
import type { Condition, DeploymentStatus, GroupStatus } from "../../crds/status.ts";
import { conditionsOf } from "./conditions.ts";
import type { Decision } from "./decide.ts";
import type { Revision } from "./frozen.ts";
import {
  containerRestarts,
  type Group,
  groupMessage,
  groupState,
  percentLoaded,
  readyRanks,
  serves,
} from "./groups.ts";
import { ending } from "./loss.ts";
import type { Obstacle } from "./obstacles.ts";
import { nodesToAvoid, type RecoveryPolicy, recent } from "./recovery.ts";
import type { PlacementProblem } from "./shortage.ts";

/** What there is to tell of one deployment at one moment. */
export interface Report {
  readonly name: string;
  readonly namespace: string;
  readonly generation: number;
  readonly decision: Decision;
  /** Why writes fail, or what is in the way; undefined when nothing is. */
  readonly obstacle: Obstacle | undefined;
  readonly groups: readonly Group[];
  readonly policy: RecoveryPolicy;
}

/** The whole status. `before` lends the times at which its conditions last changed, and the last good revision. */
export function report(facts: Report, before: DeploymentStatus | undefined, now: Date): DeploymentStatus {
  const { groups, decision } = facts;
  const { replicas, nextGroupId } = decision;
  const current = decision.target.revision;
  const updated = groups.filter(({ revision }) => revision === current?.hash);
  const good = replicas > 0 && groups.length === replicas && updated.filter(serves).length === replicas;
  const lastGoodRevision = good ? current?.hash : before?.lastGoodRevision;
  return {
    observedGeneration: facts.generation,
    replicas: groups.length,
    readyReplicas: groups.filter(serves).length,
    updatedReplicas: updated.length,
    selector: Object.entries(rank0Selector(facts.name))
      .map(([label, value]) => `${label}=${value}`)
      .join(),
    nextGroupId,
    ...(lastGoodRevision === undefined ? {} : { lastGoodRevision }),
    ...(current === undefined ? {} : { endpoint: endpointOf(current), plan: planStatus(current) }),
    groups: [...groups]
      .sort((a, b) => a.id - b.id)
      .map((group) => groupStatus(group, decision.problems.get(group.id), facts.policy, now.getTime())),
    conditions: withTimes(
      conditionsOf(facts),
      facts.generation,
      before?.observedGeneration === undefined ? [] : (before.conditions ?? []),
      now,
    ),
  };
}

const endpointOf = ({ plan }: Revision): string =>
  `http://${plan.name}.${plan.namespace}.svc.${plan.clusterDomain}:${plan.port}/v1`;

function planStatus({ hash, plan }: Revision): DeploymentStatus["plan"] {
  const { level, source, note } = plan.provenance;
  return {
    revision: hash,
    runtime: plan.runtime,
    image: plan.image.reference,
    nodes: plan.nodes,
    gpusPerNode: plan.gpusPerNode,
    tensorParallel: plan.tensorParallel,
    dataParallel: plan.dataParallel,
    expertParallel: plan.expertParallel,
    startupSeconds: plan.startupSeconds,
    command: plan.command.join(" "),
    memory: {
      weightsGibPerGpu: plan.memory.weightsGibPerGpu.toFixed(1),
      kvGibPerGpu: plan.memory.kvGibPerGpu.toFixed(1),
      tokensPerDataParallelRank: plan.memory.tokensPerDataParallelRank,
      contextLength: plan.contextLength,
    },
    provenance: [`${level} (${source})`, note].filter((part) => part !== "").join(": "),
    warnings: [...plan.warnings],
  };
}

function groupStatus(
  group: Group,
  problem: PlacementProblem | undefined,
  policy: RecoveryPolicy,
  now: number,
): GroupStatus {
  const message = groupMessage(group) ?? problem?.message.slice(0, 1024);
  const percent = percentLoaded(group);
  const { formation, recovery } = group;
  const restarts = recent(recovery, policy, now).length;
  const avoidedNodes = nodesToAvoid(recovery, policy, now);
  const failure = lastFailure(group);
  return {
    id: group.id,
    revision: group.revision,
    state: groupState(group, problem !== undefined),
    readyRanks: readyRanks(group),
    ranks: group.ranks,
    nodes: group.pods.map((pod) => pod?.spec.nodeName ?? ""),
    ...(message === undefined ? {} : { message }),
    ...(percent === undefined ? {} : { percentLoaded: percent }),
    ...(formation === undefined ? {} : { formation: formation.id, ...formedRestarts(group) }),
    ...(restarts === 0 ? {} : { restarts }),
    ...(avoidedNodes.length === 0 ? {} : { avoidedNodes }),
    ...(failure === undefined ? {} : { lastFailure: failure }),
  };
}

/** Taken once, when the formation became Ready, and kept: later restarts are losses. */
function formedRestarts(group: Group): Pick<GroupStatus, "containerRestarts"> {
  const counts = group.baseline ?? (serves(group) ? containerRestarts(group) : undefined);
  return counts === undefined ? {} : { containerRestarts: [...counts] };
}

/** How the group last lost a rank, or its only container ended. */
export const lastFailure = (group: Group): GroupStatus["lastFailure"] =>
  group.recovery.lastFailure ?? singleRankFailure(group);

/** A group of one rank is restarted by its kubelet, and its pod remembers the last end. */
function singleRankFailure({ ranks, pods: [pod] }: Group): GroupStatus["lastFailure"] {
  const ended = ranks === 1 && pod !== undefined ? ending(pod) : undefined;
  const time = pod?.status?.containerStatuses?.map(
    ({ state, lastState }) => (state?.terminated ?? lastState?.terminated)?.finishedAt,
  )[0];
  return ended === undefined || time === undefined || time === null ? undefined : { ...ended, time };
}

/** A condition's time moves only when its status flips. */
function withTimes(
  conditions: readonly Omit<Condition, "lastTransitionTime" | "observedGeneration">[],
  generation: number,
  before: readonly Condition[],
  now: Date,
): Condition[] {
  const stamp = `${now.toISOString().slice(0, 19)}Z`;
  return conditions.map((condition) => {
    const old = before.find(({ type }) => type === condition.type);
    const lastTransitionTime = old?.status === condition.status ? old.lastTransitionTime : stamp;
    return { ...condition, observedGeneration: generation, lastTransitionTime };
  });
}

/** Progress may wait a while to be told; whether the deployment is accepted, stuck, Ready, behind or seen at all may not. */
export function isUrgent(before: DeploymentStatus | undefined, after: DeploymentStatus): boolean {
  if (before?.observedGeneration !== after.observedGeneration) return true;
  if (before?.nextGroupId !== after.nextGroupId) return true;
  return ["Accepted", "Stalled", "Ready", "UpdateAvailable"].some(
    (type) => isTrue(before, type) !== isTrue(after, type),
  );
}

const isTrue = (status: DeploymentStatus | undefined, wanted: string): boolean =>
  status?.conditions?.some(({ type, status }) => type === wanted && status === "True") ?? false;
