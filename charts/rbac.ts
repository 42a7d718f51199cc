import { k8s } from "cdk8s-plus-28";
import type { Construct } from "constructs";
import { type Access, access } from "./access.ts";
import { resources } from "./resources.ts";

/** Name of the operator's ServiceAccount, roles and Deployment. */
export const operatorName = "mimo-operator";
export const operatorLabels = { "app.kubernetes.io/name": operatorName };

/** Lets the operator read logs. Bound by a RoleBinding instead of the ClusterRoleBinding, it is for that namespace alone. */
const logRoleName = `${operatorName}-logs`;

export interface OperatorRbacOptions {
  readonly namespace: string;
  /** Bind what the table calls optional: reading logs. */
  readonly logAccess: boolean;
}

/** The operator's roles from the table of its permissions, bound to its ServiceAccount. */
export function operatorRbac(scope: Construct, { namespace, logAccess }: OperatorRbacOptions): void {
  const metadata = { name: operatorName, labels: operatorLabels };
  const logMetadata = { ...metadata, name: logRoleName };
  const subjects = [{ kind: "ServiceAccount", name: operatorName, namespace }];
  const roleRef = (kind: "ClusterRole" | "Role", name: string) => ({
    apiGroup: "rbac.authorization.k8s.io",
    kind,
    name,
  });

  new k8s.KubeClusterRole(scope, "ClusterRole", { metadata, rules: rulesOf("Cluster") });
  new k8s.KubeClusterRoleBinding(scope, "ClusterRoleBinding", {
    metadata,
    roleRef: roleRef("ClusterRole", operatorName),
    subjects,
  });
  new k8s.KubeClusterRole(scope, "LogRole", { metadata: logMetadata, rules: rulesOf("Cluster", true) });
  if (logAccess) {
    new k8s.KubeClusterRoleBinding(scope, "LogRoleBinding", {
      metadata: logMetadata,
      roleRef: roleRef("ClusterRole", logRoleName),
      subjects,
    });
  }
  new k8s.KubeRole(scope, "Role", {
    metadata: { ...metadata, namespace },
    rules: rulesOf("OperatorNamespace"),
  });
  new k8s.KubeRoleBinding(scope, "RoleBinding", {
    metadata: { ...metadata, namespace },
    roleRef: roleRef("Role", operatorName),
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

function rulesOf(reach: Access["reach"], optional = false): k8s.PolicyRule[] {
  return access
    .filter((entry) => entry.reach === reach && (entry.optional ?? false) === optional)
    .map(({ resource, subresource, verbs, names }) => ({
      apiGroups: [resource.group],
      resources: [subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`],
      ...(names !== undefined && { resourceNames: [...names] }),
      verbs: [...verbs],
    }));
}
