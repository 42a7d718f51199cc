import type { KubeObject } from "../kubernetes.ts";
import { operatorLabels } from "../rbac.ts";
import { prometheusRule } from "./alerts.ts";
import { type Dashboard, dashboardJson } from "./dashboard.ts";
import { fleetDashboard } from "./fleet.ts";
import { deploymentDashboard } from "./one-deployment.ts";
import { operatorPodMonitor, serverPodMonitor } from "./pod-monitors.ts";

export interface MonitoringOptions {
  readonly namespace: string;
  /** Where the pages of docs/runbooks are, for the links in alerts. */
  readonly runbooks: string;
}

export const dashboards: readonly Dashboard[] = [fleetDashboard, deploymentDashboard];

/** What lets a Prometheus operator and a Grafana with its sidecar watch the operator and what it serves. */
export const monitoringObjects = ({ namespace, runbooks }: MonitoringOptions): KubeObject[] => [
  operatorPodMonitor(namespace),
  serverPodMonitor(namespace),
  prometheusRule(namespace, runbooks),
  ...dashboards.map((dashboard) => dashboardConfig(dashboard, namespace)),
];

const dashboardConfig = (dashboard: Dashboard, namespace: string): KubeObject & { data: object } => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: {
    name: `${dashboard.uid}-dashboard`,
    namespace,
    // The label that Grafana's sidecar looks for when nobody told it otherwise.
    labels: { ...operatorLabels, grafana_dashboard: "1" },
  },
  data: { [`${dashboard.uid}.json`]: JSON.stringify(dashboardJson(dashboard)) },
});
