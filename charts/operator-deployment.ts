import { k8s } from "cdk8s-plus-28";
import type { Construct } from "constructs";
import { operatorLabels, operatorName } from "./rbac.ts";

const healthPort = 8080;
/** Where metrics are, too. */
export const operatorHealthPort = "health";

export interface OperatorDeploymentOptions {
  readonly namespace: string;
  readonly image: string;
}

/** Two operators, of which one leads: the other takes over when its node goes. */
export function operatorDeployment(scope: Construct, { namespace, image }: OperatorDeploymentOptions): void {
  const metadata = { name: operatorName, namespace, labels: operatorLabels };
  const selector = { matchLabels: operatorLabels };
  new k8s.KubeDeployment(scope, "Deployment", {
    metadata,
    spec: {
      replicas: 2,
      selector,
      template: { metadata: { labels: operatorLabels }, spec: podSpec(image) },
    },
  });
  new k8s.KubePodDisruptionBudget(scope, "OperatorDisruptionBudget", {
    metadata,
    spec: {
      maxUnavailable: k8s.IntOrString.fromNumber(1),
      unhealthyPodEvictionPolicy: "AlwaysAllow",
      selector,
    },
  });
}

/** Passes the Pod Security level "restricted". */
function podSpec(image: string): k8s.PodSpec {
  return {
    serviceAccountName: operatorName,
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: true,
      // By number: the kubelet can't tell from a name in the image that it isn't root.
      runAsUser: 65_532,
      runAsGroup: 65_532,
      seccompProfile: { type: "RuntimeDefault" },
    },
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "kubernetes.io/hostname",
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: operatorLabels },
      },
    ],
    containers: [
      {
        name: "operator",
        image,
        args: ["--listen", `0.0.0.0:${healthPort}`],
        env: [
          { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
          { name: "POD_NAMESPACE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } },
        ],
        ports: [{ name: operatorHealthPort, containerPort: healthPort, protocol: "TCP" }],
        livenessProbe: { ...probe("/healthz"), failureThreshold: 6 },
        readinessProbe: probe("/readyz"),
        resources: {
          requests: { cpu: k8s.Quantity.fromString("100m"), memory: k8s.Quantity.fromString("128Mi") },
          limits: { memory: k8s.Quantity.fromString("512Mi") },
        },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
      },
    ],
  };
}

function probe(path: string): k8s.Probe {
  return {
    httpGet: { path, port: k8s.IntOrString.fromString(operatorHealthPort) },
    periodSeconds: 10,
    timeoutSeconds: 5,
  };
}
