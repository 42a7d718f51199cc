import { k8s } from "cdk8s-plus-28";
import type { Construct } from "constructs";
import { platformName } from "../crds/names.ts";
import { operatorLabels, operatorRoles } from "./rbac.ts";
import { resources } from "./resources.ts";

const { mimoDeployments, mimoPlatforms } = resources;
const rbacGroup = "rbac.authorization.k8s.io";

/**
 * Whoever may view, edit or administer a namespace may do so with its MiMoDeployments. Status is the operator's alone, and
 * the MiMoPlatform is read by all, since it says what they may ask for.
 */
export function userRoles(scope: Construct): void {
  const { group, plural } = mimoDeployments;
  const rule = (resource: string, verbs: string[]) => ({ apiGroups: [group], resources: [resource], verbs });

  aggregatedRole(
    scope,
    "view",
    ["view", "edit", "admin"],
    [rule(plural, ["get", "list", "watch"]), rule(`${plural}/scale`, ["get"])],
  );
  aggregatedRole(
    scope,
    "edit",
    ["edit", "admin"],
    [
      rule(plural, ["create", "update", "patch", "delete", "deletecollection"]),
      rule(`${plural}/scale`, ["update", "patch"]),
    ],
  );
  // An operator of their own works with rights that they don't have themselves, such as writing a status.
  aggregatedRole(
    scope,
    "admin",
    ["admin"],
    [
      {
        apiGroups: [rbacGroup],
        resources: ["clusterroles"],
        resourceNames: [operatorRoles.deployments, operatorRoles.logs],
        verbs: ["bind"],
      },
    ],
  );
  platformReaders(scope);
}

function aggregatedRole(
  scope: Construct,
  name: string,
  into: readonly string[],
  rules: k8s.PolicyRule[],
): void {
  const aggregation = into.map((role) => [`${rbacGroup}/aggregate-to-${role}`, "true"]);
  new k8s.KubeClusterRole(scope, `UserRole ${name}`, {
    metadata: { name: `mimo-${name}`, labels: { ...operatorLabels, ...Object.fromEntries(aggregation) } },
    rules,
  });
}

function platformReaders(scope: Construct): void {
  const metadata = { name: "mimo-platform-view", labels: operatorLabels };
  new k8s.KubeClusterRole(scope, "PlatformReaderRole", {
    metadata,
    rules: [
      {
        apiGroups: [mimoPlatforms.group],
        resources: [mimoPlatforms.plural],
        resourceNames: [platformName],
        verbs: ["get", "list", "watch"],
      },
    ],
  });
  new k8s.KubeClusterRoleBinding(scope, "PlatformReaderBinding", {
    metadata,
    roleRef: { apiGroup: rbacGroup, kind: "ClusterRole", name: metadata.name },
    subjects: [{ apiGroup: rbacGroup, kind: "Group", name: "system:authenticated" }],
  });
}
