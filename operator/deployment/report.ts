import { labels, rank0Selector } from "../../charts/names.ts";
import type { Condition, DeploymentStatus, GroupStatus } from "../../crds/status.ts";
import type { Refusal } from "../../synth/serving-plan.ts";
import { conditionsOf } from "./conditions.ts";
import type { Revision } from "./frozen.ts";
import { type Group, groupMessage, groupState, isServing, readyRanks } from "./groups.ts";
import type { Obstacle } from "./obstacles.ts";

/** What there is to tell of one deployment at one moment. */
export interface Report {
  readonly name: string;
  readonly namespace: string;
  readonly generation: number;
  readonly replicas: number;
  readonly current: Revision | undefined;
  readonly refusals: readonly Refusal[];
  /** Why writes fail, or what is in the way; undefined when nothing is. */
  readonly obstacle: Obstacle | undefined;
  readonly groups: readonly Group[];
  readonly nextGroupId: number;
}

/** The whole status. `before` only lends the times at which its conditions last changed. */
export function report(facts: Report, before: DeploymentStatus | undefined, now: Date): DeploymentStatus {
  const serves = (group: Group): boolean => isServing(group, labels.revision);
  const { current, groups } = facts;
  return {
    observedGeneration: facts.generation,
    replicas: groups.length,
    readyReplicas: groups.filter(serves).length,
    updatedReplicas: groups.filter(({ revision }) => revision === current?.hash).length,
    selector: Object.entries(rank0Selector(facts.name))
      .map(([label, value]) => `${label}=${value}`)
      .join(),
    nextGroupId: facts.nextGroupId,
    ...(current === undefined ? {} : { endpoint: endpointOf(current), plan: planStatus(current) }),
    groups: [...groups].sort((a, b) => a.id - b.id).map(groupStatus),
    conditions: withTimes(conditionsOf(facts, serves), facts.generation, before?.conditions ?? [], now),
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

function groupStatus(group: Group): GroupStatus {
  const message = groupMessage(group);
  return {
    id: group.id,
    revision: group.revision,
    state: groupState(group),
    readyRanks: readyRanks(group),
    ranks: group.ranks,
    nodes: group.pods.map((pod) => pod?.spec.nodeName ?? ""),
    ...(message === undefined ? {} : { message }),
  };
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

/** Progress may wait a while to be told; whether the deployment is accepted, stuck, Ready or seen at all may not. */
export function isUrgent(before: DeploymentStatus | undefined, after: DeploymentStatus): boolean {
  if (before?.observedGeneration !== after.observedGeneration) return true;
  if (before?.nextGroupId !== after.nextGroupId) return true;
  return ["Accepted", "Stalled", "Ready"].some((type) => isTrue(before, type) !== isTrue(after, type));
}

const isTrue = (status: DeploymentStatus | undefined, wanted: string): boolean =>
  status?.conditions?.some(({ type, status }) => type === wanted && status === "True") ?? false;
