import { k8s } from "cdk8s-plus-28";
import { customResourceDefinitions } from "./crds.ts";
import type { KubeObject } from "./kubernetes.ts";
import { operatorDeployment } from "./operator-deployment.ts";
import { operatorLabels, operatorName, operatorRbac, userRoles } from "./rbac.ts";
import { synthesize } from "./synthesize.ts";

export interface InstallOptions {
  /** Default: mimo-system. */
  readonly namespace?: string;
  /** The operator's own image. */
  readonly image: string;
  /** Let the operator read the logs of starting ranks, for the percentage loaded. Default: true. */
  readonly logAccess?: boolean;
}

/** Everything that a cluster needs to run the operator, in the order in which it can be applied. */
export function installObjects({
  namespace = "mimo-system",
  image,
  logAccess = true,
}: InstallOptions): KubeObject[] {
  const before = synthesize((chart) => {
    new k8s.KubeNamespace(chart, "Namespace", {
      metadata: {
        name: namespace,
        labels: { ...operatorLabels, "pod-security.kubernetes.io/enforce": "restricted" },
      },
    });
  });
  const after = synthesize((chart) => {
    new k8s.KubeServiceAccount(chart, "ServiceAccount", {
      metadata: { name: operatorName, namespace, labels: operatorLabels },
    });
    operatorRbac(chart, { namespace, logAccess });
    userRoles(chart);
    operatorDeployment(chart, { namespace, image });
  });
  return [...before, ...customResourceDefinitions(), ...after];
}
