import type { V1Container, V1Deployment, V1PodSpec, V1Probe } from "@kubernetes/client-node";
import type { Construct } from "constructs";
import type { InstallValues } from "./install-values.ts";
import { operatorLabels, operatorName } from "./rbac.ts";
import { typedObject } from "./typed-object.ts";

const healthPort = 8080;
/** Where metrics are, too. */
export const operatorHealthPort = "health";

export interface OperatorDeploymentOptions {
  readonly namespace: string;
  readonly values: InstallValues;
  /** Where the operator works; undefined for everywhere. */
  readonly workNamespaces: readonly string[] | undefined;
}

/** Operators of which one leads: another takes over when its node goes. */
export function operatorDeployment(scope: Construct, options: OperatorDeploymentOptions): void {
  const { namespace, values } = options;
  typedObject<V1Deployment>(scope, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: operatorName, namespace, labels: operatorLabels },
    spec: {
      replicas: values.replicas,
      selector: { matchLabels: operatorLabels },
      template: {
        metadata: {
          labels: { ...values.podLabels, ...operatorLabels },
          ...ifAny("annotations", values.podAnnotations),
        },
        spec: podSpec(options),
      },
    },
  });
}

/** Passes the Pod Security level "restricted". */
function podSpec(options: OperatorDeploymentOptions): V1PodSpec {
  const { imagePullSecrets, nodeSelector, priorityClassName, tolerations } = options.values;
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
    ...(priorityClassName !== "" && { priorityClassName }),
    ...ifAny(
      "imagePullSecrets",
      imagePullSecrets.map((name) => ({ name })),
    ),
    ...ifAny("nodeSelector", nodeSelector),
    ...ifAny("tolerations", tolerations),
    containers: [container(options)],
  };
}

function container({ values, workNamespaces }: OperatorDeploymentOptions): V1Container {
  const { image, workers, logLevel, resources } = values;
  return {
    name: "operator",
    image: image.digest === "" ? `${image.repository}:${image.tag}` : `${image.repository}@${image.digest}`,
    imagePullPolicy: image.pullPolicy,
    args: [
      `--listen=0.0.0.0:${healthPort}`,
      `--workers=${workers}`,
      `--log-level=${logLevel}`,
      ...(workNamespaces === undefined ? [] : [`--namespaces=${workNamespaces.join(",")}`]),
    ],
    env: [
      { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
      { name: "POD_NAMESPACE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } },
    ],
    ports: [{ name: operatorHealthPort, containerPort: healthPort, protocol: "TCP" }],
    livenessProbe: { ...probe("/healthz"), failureThreshold: 6 },
    readinessProbe: probe("/readyz"),
    resources,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
  };
}

const probe = (path: string): V1Probe => ({
  httpGet: { path, port: operatorHealthPort },
  periodSeconds: 10,
  timeoutSeconds: 5,
});

/** A field that is left out where there is nothing to say. */
const ifAny = <Key extends string, Value extends object>(key: Key, value: Value) =>
  Object.keys(value).length === 0 ? {} : { [key]: value };
