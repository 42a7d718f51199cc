import { stringify } from "yaml";
import { apiGroup } from "../../crds/names.ts";

/** Actions in Argo CD's user interface, each a script of its own. */
export const argocdActions = ["suspend", "resume", "restart", "rollback"] as const;

/** Where the scripts are, below this folder: laid out like Argo CD's own `resource_customizations`. */
export const argocdFolder = `${apiGroup}/MiMoDeployment`;

/**
 * What teaches an Argo CD about MiMoDeployments: YAML to patch its ConfigMap `argocd-cm` with.
 * @param script text of a script below `argocdFolder`
 */
export function argocdPatch(script: (path: string) => string): string {
  const kind = `${apiGroup}_MiMoDeployment`;
  const actions = {
    "discovery.lua": script("actions/discovery.lua"),
    definitions: argocdActions.map((name) => ({ name, "action.lua": script(`actions/${name}/action.lua`) })),
  };
  const data = {
    [`resource.customizations.health.${kind}`]: script("health.lua"),
    [`resource.customizations.actions.${kind}`]: text(actions),
  };
  return text({ data });
}

/** Scripts as they are, in blocks: a person reads them before they go into an Argo CD. */
const text = (value: object): string => stringify(value, { lineWidth: 0, blockQuote: "literal" });
