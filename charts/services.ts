import { k8s } from "cdk8s-plus-28";
import type { Construct } from "constructs";
import type { ServingPlan } from "../synth/serving-plan.ts";
import {
  apiServiceName,
  commonLabels,
  deploymentSelector,
  httpPortName,
  rank0Selector,
  ranksServiceName,
} from "./names.ts";

/** By its name: while a new port is rolled out, groups of both revisions are reached. */
const targetPort = k8s.IntOrString.fromString(httpPortName);

/** Names of the ranks in DNS. They look for each other long before any of them is ready. */
export function ranksService(scope: Construct, { name, namespace, port }: ServingPlan): k8s.KubeService {
  return new k8s.KubeService(scope, "RanksService", {
    metadata: { name: ranksServiceName(name), namespace, labels: commonLabels(name) },
    spec: {
      clusterIp: "None",
      publishNotReadyAddresses: true,
      selector: deploymentSelector(name),
      ports: [{ name: httpPortName, port, targetPort, protocol: "TCP" }],
    },
  });
}

/** The OpenAI API. Only rank 0 serves it; the others would answer its health check and nothing else. */
export function apiService(scope: Construct, { name, namespace, port }: ServingPlan): k8s.KubeService {
  return new k8s.KubeService(scope, "ApiService", {
    metadata: { name: apiServiceName(name), namespace, labels: commonLabels(name) },
    spec: {
      selector: rank0Selector(name),
      ports: [{ name: httpPortName, port, targetPort, protocol: "TCP" }],
    },
  });
}
