import { deploymentSpec } from "../../../crds/deployment.ts";
import type { PlatformSpec } from "../../../crds/platform.ts";
import { planDeployment } from "../../../synth/plan.ts";
import type { PlanResult, Refusal, ServingPlan } from "../../../synth/serving-plan.ts";

/** Plans a spec as a user would write it. */
export const planOf = (spec: unknown, platform?: PlatformSpec): PlanResult =>
  planDeployment({ name: "demo", namespace: "team-a", spec: deploymentSpec.parse(spec) }, platform);

export function accepted(spec: unknown, platform?: PlatformSpec): ServingPlan {
  const result = planOf(spec, platform);
  if (!result.accepted)
    throw new Error(`refused: ${result.refusals.map(({ message }) => message).join(" | ")}`);
  return result.plan;
}

export function refused(spec: unknown, platform?: PlatformSpec): readonly Refusal[] {
  const result = planOf(spec, platform);
  if (result.accepted) throw new Error(`planned: ${result.plan.command.join(" ")}`);
  return result.refusals;
}

/** Options of an argv behind `sglang serve`: name → its value, or true for a switch. Throws where one is given twice. */
export function optionsOf(command: readonly string[]): Readonly<Record<string, string | true>> {
  const options: Record<string, string | true> = {};
  command.slice(2).forEach((word, index, words) => {
    if (!word.startsWith("--")) return;
    if (Object.hasOwn(options, word)) throw new Error(`${word} is given twice`);
    const next = words[index + 1];
    options[word] = next === undefined || next.startsWith("--") ? true : next;
  });
  return options;
}
