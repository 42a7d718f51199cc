import { installObjects, operatorNamespaceObject } from "../../charts/install.ts";
import type { InstallValues } from "../../charts/install-values.ts";
import { toYaml } from "../../charts/yaml.ts";

/** Everything to apply; the namespace only where the cluster's administrator installs an operator. */
export const install = (values: InstallValues, namespace: string): string =>
  toYaml([
    ...(values.part === "all" ? operatorNamespaceObject(namespace) : []),
    ...installObjects(values, namespace),
  ]);
