import type { V1StatefulSet } from "@kubernetes/client-node";
import type { ApiObject } from "cdk8s";
import type { Construct } from "constructs";
import type { ServingPlan } from "../synth/serving-plan.ts";
import {
  channelClaim,
  channelTemplateName,
  commonLabels,
  groupName,
  groupSelector,
  labels,
  ranksServiceName,
} from "./names.ts";
import type { PodTemplate } from "./pod.ts";
import { type GangMetadata, gangMetadata, gangSpec } from "./queue.ts";
import { typedObject } from "./typed-object.ts";

export interface GroupOptions {
  readonly plan: ServingPlan;
  readonly revision: string;
  readonly groupId: number;
  readonly template: PodTemplate;
}

/** One serving group: a pod per node, all started at once and replaced only by being deleted. */
export function groupStatefulSet(scope: Construct, options: GroupOptions): ApiObject {
  const { plan, revision, groupId, template } = options;
  const selector = groupSelector(plan.name, groupId);
  return typedObject<V1StatefulSet>(scope, {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: {
      name: groupName(plan.name, groupId),
      namespace: plan.namespace,
      labels: { ...commonLabels(plan.name), ...selector, [labels.revision]: revision },
    },
    spec: {
      replicas: plan.nodes,
      serviceName: ranksServiceName(plan.name),
      // Rank 0 is ready only when all ranks have met, so starting them in order would never end.
      podManagementPolicy: "Parallel",
      // Ranks of two revisions can't work together: a group is replaced as a whole.
      updateStrategy: { type: "OnDelete" },
      // History is kept in the deployment's own ControllerRevisions.
      revisionHistoryLimit: 1,
      selector: { matchLabels: selector },
      template: {
        ...template,
        metadata: groupMetadata(template, gangMetadata(plan, groupId), selector),
        spec: {
          ...template.spec,
          ...gangSpec(plan, groupId),
          ...(plan.nvlink !== undefined && {
            resourceClaims: [
              { name: channelClaim, resourceClaimTemplateName: channelTemplateName(plan.name, groupId) },
            ],
          }),
        },
      },
    },
  });
}

function groupMetadata(
  { metadata }: PodTemplate,
  gang: GangMetadata,
  selector: Readonly<Record<string, string>>,
): PodTemplate["metadata"] {
  const annotations = { ...metadata.annotations, ...gang.annotations };
  return {
    labels: { ...metadata.labels, ...gang.labels, ...selector },
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
}
