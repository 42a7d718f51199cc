import { renderDeployment } from "../../charts/render.ts";
import { toYaml } from "../../charts/yaml.ts";
import type { Review } from "./requests.ts";

/** YAML of all objects of all deployments, or undefined when any is refused: half of them must not reach `kubectl apply`. */
export function render({ outcomes, findings }: Review): string | undefined {
  if (findings.length > 0) return undefined;
  return toYaml(outcomes.flatMap((outcome) => (outcome.accepted ? renderDeployment(outcome) : [])));
}
