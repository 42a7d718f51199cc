import { k8s } from "cdk8s-plus-28";
import type { Construct } from "constructs";
import { operatorHealthPort } from "./operator-deployment.ts";
import { operatorLabels, operatorName } from "./rbac.ts";

const selector = { matchLabels: operatorLabels };
const metadataIn = (namespace: string) => ({ name: operatorName, namespace, labels: operatorLabels });

export function operatorBudget(scope: Construct, namespace: string): void {
  new k8s.KubePodDisruptionBudget(scope, "OperatorDisruptionBudget", {
    metadata: metadataIn(namespace),
    spec: {
      maxUnavailable: k8s.IntOrString.fromNumber(1),
      unhealthyPodEvictionPolicy: "AlwaysAllow",
      selector,
    },
  });
}

/** Into the operator: probes and Prometheus. Out of it: not restricted, since nothing names an API server to such a policy. */
export function operatorNetworkPolicy(scope: Construct, namespace: string): void {
  new k8s.KubeNetworkPolicy(scope, "OperatorNetworkPolicy", {
    metadata: metadataIn(namespace),
    spec: {
      podSelector: selector,
      policyTypes: ["Ingress"],
      ingress: [{ ports: [{ port: k8s.IntOrString.fromString(operatorHealthPort), protocol: "TCP" }] }],
    },
  });
}
