import type { KubeObject } from "../kubernetes.ts";
import { httpPortName, labels } from "../names.ts";
import { operatorHealthPort } from "../operator-deployment.ts";
import { operatorLabels, operatorName } from "../rbac.ts";

/** Version of the Prometheus operator's API that all releases since 2019 serve. */
const apiVersion = "monitoring.coreos.com/v1";

type Monitor = KubeObject & { readonly spec: object };

/** Scrapes the operator. Its metrics say of which namespace they are, which must not become the operator's own. */
export const operatorPodMonitor = (
  namespace: string,
  { interval, labels = {} }: { readonly interval?: string; readonly labels?: Record<string, string> } = {},
): Monitor => ({
  apiVersion,
  kind: "PodMonitor",
  metadata: { name: operatorName, namespace, labels: { ...labels, ...operatorLabels } },
  spec: {
    selector: { matchLabels: operatorLabels },
    podMetricsEndpoints: [
      {
        port: operatorHealthPort,
        path: "/metrics",
        ...(interval !== undefined && { interval }),
        honorLabels: true,
      },
    ],
  },
});

const label = (name: string): string => name.replaceAll(/[./-]/g, "_");

/**
 * Scrapes rank 0 of every group in every namespace: the other ranks have no server of their own to tell of. The labels are
 * those of the operator's metrics, so that both join.
 */
export const serverPodMonitor = (namespace: string): Monitor => ({
  apiVersion,
  kind: "PodMonitor",
  metadata: { name: `${operatorName}-servers`, namespace, labels: operatorLabels },
  spec: {
    namespaceSelector: { any: true },
    selector: {
      matchLabels: { [labels.podIndex]: "0" },
      matchExpressions: [{ key: labels.deployment, operator: "Exists" }],
    },
    podMetricsEndpoints: [
      {
        port: httpPortName,
        path: "/metrics",
        relabelings: [
          {
            sourceLabels: [`__meta_kubernetes_pod_label_${label(labels.deployment)}`],
            targetLabel: "deployment",
          },
          { sourceLabels: [`__meta_kubernetes_pod_label_${label(labels.group)}`], targetLabel: "group" },
        ],
      },
    ],
  },
});
