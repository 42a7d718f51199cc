import { planCard, refusalCard } from "./plan-card.ts";
import type { Outcome, Review } from "./requests.ts";

export const planFormats = ["table", "json"] as const;
export type PlanFormat = (typeof planFormats)[number];

/** What each deployment would become. Its table is for people and may change; its JSON is for programs and may only grow. */
export function plan({ outcomes }: Review, format: PlanFormat, columns: number): string {
  if (format === "json") return `${JSON.stringify(outcomes.map(planJson), undefined, 2)}\n`;
  return outcomes
    .map((outcome) => (outcome.accepted ? planCard(outcome, columns) : refusalCard(outcome, columns)))
    .join("\n");
}

function planJson(outcome: Outcome): object {
  if (!outcome.accepted) {
    const errors = outcome.findings.map(({ code, field, message }) => ({ code, field, message }));
    return { name: outcome.name, accepted: false, errors };
  }
  const { plan, replicas } = outcome;
  return {
    name: plan.name,
    namespace: plan.namespace,
    accepted: true,
    variant: plan.variant,
    hardware: plan.hardware,
    profile: plan.profile,
    runtime: plan.runtime,
    image: plan.image.reference,
    replicas,
    nodes: plan.nodes,
    gpusPerNode: plan.gpusPerNode,
    tensorParallel: plan.tensorParallel,
    dataParallel: plan.dataParallel,
    expertParallel: plan.expertParallel,
    env: plan.env,
    command: plan.command,
    memory: {
      weightsGiBPerGpu: plan.memory.weightsGibPerGpu,
      kvGiBPerGpu: plan.memory.kvGibPerGpu,
      tokensPerDpRank: plan.memory.tokensPerDataParallelRank,
      contextLength: plan.contextLength,
      fits: plan.memory.fits,
    },
    provenance: plan.provenance,
    warnings: plan.warnings,
  };
}
