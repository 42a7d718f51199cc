import { k8s } from "cdk8s-plus-28";
import type { Construct } from "constructs";
import { type Access, access } from "./access.ts";
import { resources } from "./resources.ts";

/** Name of the operator's ServiceAccount, roles and Deployment. */
export const operatorName = "mimo-operator";
export const operatorLabels = { "app.kubernetes.io/name": operatorName };

/** The ClusterRoles of the operator. Each has what may be bound, or left out, by itself. */
export const operatorRoles = {
  /** All of its work inside a namespace: bound everywhere, or by a RoleBinding in each of its namespaces. */
  deployments: operatorName,
  logs: `${operatorName}-logs`,
  /** Whether a node answers. */
  nodes: `${operatorName}-nodes`,
  platform: `${operatorName}-platform`,
} as const;
type OperatorRole = keyof typeof operatorRoles;

/** The role that a permission belongs to; undefined for those in the operator's own namespace. */
function roleOf({ resource, reach, optional }: Access): OperatorRole | undefined {
  if (reach === "OperatorNamespace") return undefined;
  if (optional) return "logs";
  if (resource.namespaced) return "deployments";
  return resource === resources.nodes ? "nodes" : "platform";
}

export interface OperatorBinding {
  /** Of the ServiceAccount. */
  readonly operatorNamespace: string;
  /** Where the operator works; undefined for everywhere. */
  readonly namespaces: readonly string[] | undefined;
  /** Bind the role for reading logs. */
  readonly logAccess: boolean;
}

/** ClusterRoles from the table of the operator's permissions. */
export function operatorClusterRoles(scope: Construct): void {
  for (const role of roleNames) {
    new k8s.KubeClusterRole(scope, `ClusterRole ${role}`, {
      metadata: { name: operatorRoles[role], labels: operatorLabels },
      rules: rulesOf(role),
    });
  }
}

/** Gives an operator that works everywhere its permissions. */
export function operatorClusterBindings(
  scope: Construct,
  { operatorNamespace, namespaces, logAccess }: OperatorBinding,
): void {
  clusterBinding(scope, "platform", [operatorNamespace]);
  if (namespaces !== undefined) return;
  clusterBinding(scope, "deployments", [operatorNamespace]);
  if (logAccess) clusterBinding(scope, "logs", [operatorNamespace]);
}

/** Lets the operators of these namespaces read nodes. */
export function nodeReadersBinding(scope: Construct, operatorNamespaces: readonly string[]): void {
  if (operatorNamespaces.length > 0) clusterBinding(scope, "nodes", operatorNamespaces);
}

/** What the operator needs in its own namespace, and in those that it works in where that isn't everywhere. */
export function operatorNamespaceRbac(
  scope: Construct,
  { operatorNamespace, namespaces = [], logAccess }: OperatorBinding,
): void {
  const metadata = { name: operatorName, namespace: operatorNamespace, labels: operatorLabels };
  new k8s.KubeRole(scope, "Role", { metadata, rules: rulesOf(undefined) });
  new k8s.KubeRoleBinding(scope, "RoleBinding", {
    metadata,
    roleRef: roleRef("Role", operatorName),
    subjects: [account(operatorNamespace)],
  });
  const bound: OperatorRole[] = logAccess ? ["deployments", "logs"] : ["deployments"];
  for (const namespace of namespaces) {
    for (const role of bound) {
      new k8s.KubeRoleBinding(scope, `RoleBinding ${namespace} ${role}`, {
        metadata: { name: `${operatorName}-${role}`, namespace, labels: operatorLabels },
        roleRef: roleRef("ClusterRole", operatorRoles[role]),
        subjects: [account(operatorNamespace)],
      });
    }
  }
}

const roleNames: readonly OperatorRole[] = ["deployments", "logs", "nodes", "platform"];

const account = (namespace: string): k8s.Subject => ({
  kind: "ServiceAccount",
  name: operatorName,
  namespace,
});

const roleRef = (kind: "ClusterRole" | "Role", name: string): k8s.RoleRef => ({
  apiGroup: "rbac.authorization.k8s.io",
  kind,
  name,
});

function clusterBinding(scope: Construct, role: OperatorRole, operatorNamespaces: readonly string[]): void {
  new k8s.KubeClusterRoleBinding(scope, `ClusterRoleBinding ${role}`, {
    metadata: { name: operatorRoles[role], labels: operatorLabels },
    roleRef: roleRef("ClusterRole", operatorRoles[role]),
    subjects: operatorNamespaces.map(account),
  });
}

function rulesOf(role: OperatorRole | undefined): k8s.PolicyRule[] {
  return access
    .filter((entry) => roleOf(entry) === role)
    .map(({ resource, subresource, verbs, names }) => ({
      apiGroups: [resource.group],
      resources: [subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`],
      ...(names !== undefined && { resourceNames: [...names] }),
      verbs: [...verbs],
    }));
}
