import { k8s } from "cdk8s-plus-28";
import type { Construct } from "constructs";
import type { ServingPlan } from "../synth/serving-plan.ts";
import { commonLabels, deploymentSelector, httpPortName } from "./names.ts";

/**
 * Into a rank: anything from the deployment's own ranks (NCCL, gloo and ZeroMQ take ports as they come), the API from
 * everywhere, nothing else. One policy for all groups: what keeps groups apart is the port of their formation, and a policy
 * per group would be one more object in each. Out of a rank: not restricted, since checkpoints are downloaded.
 */
export function networkPolicy(scope: Construct, { name, namespace }: ServingPlan): k8s.KubeNetworkPolicy {
  const ranks = { matchLabels: deploymentSelector(name) };
  return new k8s.KubeNetworkPolicy(scope, "NetworkPolicy", {
    metadata: { name, namespace, labels: commonLabels(name) },
    spec: {
      podSelector: ranks,
      policyTypes: ["Ingress"],
      ingress: [
        { from: [{ podSelector: ranks }] },
        // By its name, as in the Service: groups on a former port stay reachable until their turn comes.
        { ports: [{ port: k8s.IntOrString.fromString(httpPortName), protocol: "TCP" }] },
      ],
    },
  });
}
