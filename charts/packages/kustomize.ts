import { stringify } from "yaml";
import { customResourceDefinitions } from "../crds.ts";
import { defaultNamespace, installObjects, operatorNamespaceObject } from "../install.ts";
import { installValues } from "../install-values.ts";
import { toYaml } from "../yaml.ts";

/** Files of the Kustomize base: path → content. What \`mimo install\` prints by itself; patches and images do the rest. */
export function kustomizeBase(heading: string): Record<string, string> {
  const definitions = customResourceDefinitions();
  const names = new Set(definitions.map(({ metadata }) => metadata.name));
  const others = installObjects(installValues.parse({}), defaultNamespace).filter(
    ({ metadata }) => !names.has(metadata.name ?? ""),
  );
  const resources = {
    "namespace.yaml": operatorNamespaceObject(defaultNamespace),
    "crds.yaml": definitions,
    "operator.yaml": others,
  };
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: Object.keys(resources),
  };
  return {
    "kustomization.yaml": heading + stringify(kustomization),
    ...Object.fromEntries(
      Object.entries(resources).map(([file, objects]) => [file, heading + toYaml(objects)]),
    ),
  };
}
