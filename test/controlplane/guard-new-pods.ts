import { type ApiAccess, callApi } from "./api.ts";

const policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
const name = "kwok-ends-what-was-deleted";

/**
 * kwok removes a deleted pod by its name, often twice, and under load the second time hits the new pod of that name. A
 * kubelet names the UID. With this rule kwok can only remove pods that somebody deleted.
 */
export async function guardNewPods(access: ApiAccess): Promise<void> {
  const deletes = { apiGroups: [""], apiVersions: ["v1"], operations: ["DELETE"], resources: ["pods"] };
  const policy = {
    metadata: { name },
    spec: {
      matchConstraints: { resourceRules: [deletes] },
      matchConditions: [{ name: "kwok", expression: "request.userInfo.username == 'kwok'" }],
      validations: [{ expression: "has(oldObject.metadata.deletionTimestamp)" }],
    },
  };
  const binding = { metadata: { name }, spec: { policyName: name, validationActions: ["Deny"] } };
  await callApi(access, policies, { method: "POST", body: policy });
  await callApi(access, policies.replace("policies", "policybindings"), { method: "POST", body: binding });
}
