import { k8s } from "cdk8s-plus-28";
import type { Construct } from "constructs";
import { type Access, access } from "./access.ts";
import { resources } from "./resources.ts";

/** Name of the operator's ServiceAccount, roles and Deployment. */
export const operatorName = "mimo-operator";
export const operatorLabels = { "app.kubernetes.io/name": operatorName };

/** The operator's roles from the table of its permissions, bound to its ServiceAccount. */
export function operatorRbac(scope: Construct, namespace: string): void {
  const metadata = { name: operatorName, labels: operatorLabels };
  const subjects = [{ kind: "ServiceAccount", name: operatorName, namespace }];
  const roleRef = (kind: "ClusterRole" | "Role") => ({
    apiGroup: "rbac.authorization.k8s.io",
    kind,
    name: operatorName,
  });

  new k8s.KubeClusterRole(scope, "ClusterRole", { metadata, rules: rulesWithin("Cluster") });
  new k8s.KubeClusterRoleBinding(scope, "ClusterRoleBinding", {
    metadata,
    roleRef: roleRef("ClusterRole"),
    subjects,
  });
  new k8s.KubeRole(scope, "Role", {
    metadata: { ...metadata, namespace },
    rules: rulesWithin("OperatorNamespace"),
  });
  new k8s.KubeRoleBinding(scope, "RoleBinding", {
    metadata: { ...metadata, namespace },
    roleRef: roleRef("Role"),
    subjects,
  });
}

/** Whoever may view or edit a namespace may do so with its MiMoDeployments. Status is the operator's alone. */
export function userRoles(scope: Construct): void {
  const { group, plural } = resources.mimoDeployments;
  const rule = (resource: string, verbs: string[]) => ({ apiGroups: [group], resources: [resource], verbs });
  const aggregatedTo = (...roles: string[]) =>
    Object.fromEntries(roles.map((role) => [`rbac.authorization.k8s.io/aggregate-to-${role}`, "true"]));

  new k8s.KubeClusterRole(scope, "ViewRole", {
    metadata: { name: "mimo-view", labels: { ...operatorLabels, ...aggregatedTo("view", "edit", "admin") } },
    rules: [rule(plural, ["get", "list", "watch"]), rule(`${plural}/scale`, ["get"])],
  });
  new k8s.KubeClusterRole(scope, "EditRole", {
    metadata: { name: "mimo-edit", labels: { ...operatorLabels, ...aggregatedTo("edit", "admin") } },
    rules: [
      rule(plural, ["create", "update", "patch", "delete", "deletecollection"]),
      rule(`${plural}/scale`, ["update", "patch"]),
    ],
  });
}

function rulesWithin(reach: Access["reach"]): k8s.PolicyRule[] {
  return access
    .filter((entry) => entry.reach === reach)
    .map(({ resource, subresource, verbs, names }) => ({
      apiGroups: [resource.group],
      resources: [subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`],
      ...(names !== undefined && { resourceNames: [...names] }),
      verbs: [...verbs],
    }));
}
