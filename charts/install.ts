import type { Chart } from "cdk8s";
import { k8s } from "cdk8s-plus-28";
import { limitPolicies } from "./admission.ts";
import { customResourceDefinitions } from "./crds.ts";
import type { InstallValues } from "./install-values.ts";
import type { KubeObject } from "./kubernetes.ts";
import { operatorPodMonitor } from "./monitoring/pod-monitors.ts";
import { operatorDeployment } from "./operator-deployment.ts";
import { operatorBudget, operatorNetworkPolicy } from "./operator-surroundings.ts";
import {
  nodeReadersBinding,
  type OperatorBinding,
  operatorClusterBindings,
  operatorClusterRoles,
  operatorLabels,
  operatorName,
  operatorNamespaceRbac,
} from "./rbac.ts";
import { synthesize } from "./synthesize.ts";
import { userRoles } from "./user-roles.ts";

export const defaultNamespace = "mimo-system";

/**
 * Everything that a cluster needs to run the operator in `namespace`, in the order in which it can be applied. Not the
 * namespace itself, which Helm and Argo CD make their own way.
 */
export function installObjects(values: InstallValues, namespace: string): KubeObject[] {
  const { part, namespaces } = values;
  const binding: OperatorBinding = {
    operatorNamespace: namespace,
    namespaces: namespaces.length > 0 ? namespaces : part === "namespace" ? [namespace] : undefined,
    logAccess: values.logAccess,
  };
  return [
    ...(part === "namespace" ? [] : customResourceDefinitions()),
    ...synthesize((chart) => {
      if (part !== "namespace") clusterPart(chart, values, namespace);
      if (part === "all") operatorClusterBindings(chart, binding);
      if (part !== "cluster") namespacePart(chart, values, binding);
    }),
    ...(part !== "cluster" && values.podMonitor.enabled
      ? [operatorPodMonitor(namespace, values.podMonitor)]
      : []),
  ];
}

/** The operator's namespace, at the Pod Security level that its pods keep to. */
export const operatorNamespaceObject = (namespace: string): KubeObject[] =>
  synthesize((chart) => {
    new k8s.KubeNamespace(chart, "Namespace", {
      metadata: {
        name: namespace,
        labels: { ...operatorLabels, "pod-security.kubernetes.io/enforce": "restricted" },
      },
    });
  });

function clusterPart(chart: Chart, values: InstallValues, namespace: string): void {
  operatorClusterRoles(chart);
  userRoles(chart);
  nodeReadersBinding(chart, [...(values.part === "all" ? [namespace] : []), ...values.nodeReaders]);
  if (values.admissionPolicies) limitPolicies(chart);
}

function namespacePart(chart: Chart, values: InstallValues, binding: OperatorBinding): void {
  const namespace = binding.operatorNamespace;
  new k8s.KubeServiceAccount(chart, "ServiceAccount", {
    metadata: { name: operatorName, namespace, labels: operatorLabels },
  });
  operatorNamespaceRbac(chart, binding);
  operatorDeployment(chart, { namespace, values, workNamespaces: binding.namespaces });
  operatorBudget(chart, namespace);
  if (values.networkPolicy) operatorNetworkPolicy(chart, namespace);
}
