import { inKeyOrder } from "../../charts/key-order.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";

/** What differs between two plans, in words, as a person would say it. Warnings and provenance don't count. */
export function planChanges(from: ServingPlan, to: ServingPlan): string[] {
  return [
    ...changed("image", from.image.reference, to.image.reference),
    ...changed("runtime", from.runtime, to.runtime),
    ...changed("hardware", from.hardware, to.hardware),
    ...changed("profile", from.profile, to.profile),
    ...changed("nodes", from.nodes, to.nodes),
    ...changed("GPUs per node", from.gpusPerNode, to.gpusPerNode),
    ...entries("option", options(from.command), options(to.command)),
    ...entries("environment", from.env, to.env),
    ...changed("secrets", from.secretEnv, to.secretEnv),
    ...changed("port", from.port, to.port),
    ...changed("model source", from.model, to.model),
    ...changed("cache", from.cache, to.cache),
    ...changed("resources", from.resources, to.resources),
    ...changed("queue", from.queue ?? "none", to.queue ?? "none"),
    ...changed("NVLink between nodes", from.nvlink ?? "off", to.nvlink ?? "off"),
    ...changed("placement", from.placement, to.placement),
    ...changed("startup budget in seconds", from.startupSeconds, to.startupSeconds),
    ...changed("pull policy", from.image.pullPolicy, to.image.pullPolicy),
    ...changed("user", from.image.runAsUser ?? "the image's own", to.image.runAsUser ?? "the image's own"),
    ...changed("pull Secrets", from.image.pullSecrets, to.image.pullSecrets),
    ...changed("pod labels", from.podLabels, to.podLabels),
    ...changed("pod annotations", from.podAnnotations, to.podAnnotations),
    ...changed("pod patches", from.podPatches ?? "none", to.podPatches ?? "none"),
  ];
}

const say = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(inKeyOrder(value));

function changed(what: string, from: unknown, to: unknown): string[] {
  return say(from) === say(to) ? [] : [`${what} ${say(from)} → ${say(to)}`];
}

function entries(
  what: string,
  from: Readonly<Record<string, string>>,
  to: Readonly<Record<string, string>>,
): string[] {
  return [...new Set([...Object.keys(from), ...Object.keys(to)])].sort().flatMap((name) => {
    const [before, after] = [from[name], to[name]];
    if (before === after) return [];
    if (before === undefined) return [`${what} ${name} added${after === "" ? "" : ` (${after})`}`];
    if (after === undefined) return [`${what} ${name} removed`];
    return [`${what} ${name} ${before} → ${after}`];
  });
}

/** Command line as a map from option to value; an option without a value has an empty one. */
function options(command: readonly string[]): Record<string, string> {
  const result: Record<string, string> = {};
  let option = "command";
  for (const word of command) {
    if (word.startsWith("--")) {
      option = word;
      result[option] ??= "";
    } else result[option] = [result[option], word].filter(Boolean).join(" ");
  }
  return result;
}
