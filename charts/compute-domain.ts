import type { ApiObject } from "cdk8s";
import type { Construct } from "constructs";
import type { ServingPlan } from "../synth/serving-plan.ts";
import { channelTemplateName, commonLabels, groupName, groupSelector, labels } from "./names.ts";
import { typedObject } from "./typed-object.ts";

/** Of NVIDIA's DRA driver, resource.nvidia.com/v1beta1. */
interface ComputeDomain {
  readonly spec: {
    readonly numNodes: number;
    readonly channel: {
      readonly allocationMode: "Single" | "All";
      readonly resourceClaimTemplate: { readonly name: string };
    };
  };
}

export interface ComputeDomainOptions {
  readonly plan: ServingPlan;
  readonly groupId: number;
  /** UID of the MiMoDeployment; absent without a cluster. */
  readonly ownerUid?: string;
}

/**
 * What gives the ranks of a group their IMEX channel. No ownerReference: a foreground deletion would have the garbage
 * collector delete it under running pods, which ends IMEX at once. The operator removes it after the pods.
 */
export function computeDomain(
  scope: Construct,
  { plan, groupId, ownerUid }: ComputeDomainOptions,
): ApiObject {
  return typedObject<ComputeDomain>(scope, {
    apiVersion: "resource.nvidia.com/v1beta1",
    kind: "ComputeDomain",
    metadata: {
      name: groupName(plan.name, groupId),
      namespace: plan.namespace,
      labels: {
        ...commonLabels(plan.name),
        ...groupSelector(plan.name, groupId),
        ...(ownerUid !== undefined && { [labels.ownerUid]: ownerUid }),
      },
    },
    spec: {
      // The driver's own advice: ranks wait for each other at their rendezvous, not at the driver.
      numNodes: 0,
      channel: {
        allocationMode: "Single",
        resourceClaimTemplate: { name: channelTemplateName(plan.name, groupId) },
      },
    },
  });
}
