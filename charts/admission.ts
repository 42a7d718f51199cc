import type {
  V1NamedRuleWithOperations,
  V1ValidatingAdmissionPolicy,
  V1ValidatingAdmissionPolicyBinding,
  V1Validation,
} from "@kubernetes/client-node";
import type { Construct } from "constructs";
import { platformName } from "../crds/names.ts";
import { type LimitRule, limitRules } from "../synth/limits.ts";
import { apiVersionOf } from "./kubernetes.ts";
import { operatorLabels } from "./rbac.ts";
import { resources } from "./resources.ts";
import { typedObject } from "./typed-object.ts";

const { group, version, plural } = resources.mimoDeployments;
const policyVersion = "admissionregistration.k8s.io/v1";

/** Holds MiMoDeployments, and their scaling by /scale, to what the MiMoPlatform allows. */
export function limitPolicies(scope: Construct): void {
  limitPolicy(scope, "mimo-limits", plural, ["CREATE", "UPDATE"], limitRules);
  // The replicas of a Scale stand where those of a MiMoDeployment do.
  const replicas = limitRules.filter(({ field }) => field === "spec.replicas");
  limitPolicy(scope, "mimo-scale-limits", `${plural}/scale`, ["UPDATE"], replicas);
}

function limitPolicy(
  scope: Construct,
  name: string,
  resource: string,
  operations: NonNullable<V1NamedRuleWithOperations["operations"]>,
  rules: readonly LimitRule[],
): void {
  const metadata = { name, labels: operatorLabels };
  typedObject<V1ValidatingAdmissionPolicy>(scope, {
    apiVersion: policyVersion,
    kind: "ValidatingAdmissionPolicy",
    metadata,
    spec: {
      failurePolicy: "Fail",
      paramKind: { apiVersion: apiVersionOf(resources.mimoPlatforms), kind: resources.mimoPlatforms.kind },
      matchConstraints: {
        resourceRules: [
          // The scope is the API server's default: left out of a list's item, it would look like a difference to Argo CD.
          { apiGroups: [group], apiVersions: [version], resources: [resource], operations, scope: "*" },
        ],
      },
      // A tighter platform must not stand in the way of labels, finalizers or a deletion.
      matchConditions: [
        {
          name: "creates-and-spec-changes",
          expression:
            "request.operation == 'CREATE' || (!has(object.metadata.deletionTimestamp) && object.spec != oldObject.spec)",
        },
      ],
      validations: rules.map(validation),
    },
  });
  typedObject<V1ValidatingAdmissionPolicyBinding>(scope, {
    apiVersion: policyVersion,
    kind: "ValidatingAdmissionPolicyBinding",
    metadata,
    spec: {
      policyName: name,
      // A platform that somebody deleted must not lift every limit.
      paramRef: { name: platformName, parameterNotFoundAction: "Deny" },
      validationActions: ["Deny"],
    },
  });
}

const validation = ({ rule, unchanged, message }: LimitRule): V1Validation => ({
  expression: `(oldObject != null && ${unchanged}) || ${rule}`,
  messageExpression: message,
  reason: "Forbidden",
});
