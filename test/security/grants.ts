/** What a ServiceAccount is granted by RBAC objects, and which of it a request needed. */
import { z } from "zod";
import type { KubeObject } from "../../charts/kubernetes.ts";
import type { AuditRecord } from "../controlplane/audit.ts";

export interface Grant {
  readonly verb: string;
  readonly group: string;
  /** With its subresource: "pods/log". */
  readonly resource: string;
  /** undefined: every object. */
  readonly names: readonly string[] | undefined;
  /** undefined: everywhere. */
  readonly namespace: string | undefined;
}

export interface Account {
  readonly namespace: string;
  readonly name: string;
}

const roleShape = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string().optional() }),
  rules: z.array(
    z.strictObject({
      apiGroups: z.array(z.string()),
      resources: z.array(z.string()),
      resourceNames: z.array(z.string()).optional(),
      verbs: z.array(z.string()),
    }),
  ),
});
const bindingShape = z.object({
  kind: z.string(),
  metadata: z.object({ namespace: z.string().optional() }),
  roleRef: z.object({ kind: z.string(), name: z.string() }),
  subjects: z.array(z.object({ kind: z.string(), name: z.string(), namespace: z.string().optional() })),
});

/** One grant for each verb on each resource, of every role that is bound to the account itself. */
export function grantsOf(objects: readonly KubeObject[], { name, namespace }: Account): Grant[] {
  const bindings = objects
    .filter(({ kind }) => kind === "ClusterRoleBinding" || kind === "RoleBinding")
    .map((object) => bindingShape.parse(object))
    .filter(({ subjects }) =>
      subjects.some(
        (each) => each.kind === "ServiceAccount" && each.name === name && each.namespace === namespace,
      ),
    );
  return bindings.flatMap(({ metadata, roleRef }) => {
    const role = objects.find(
      ({ kind, metadata: of }) =>
        kind === roleRef.kind &&
        of.name === roleRef.name &&
        (kind === "ClusterRole" || of.namespace === metadata.namespace),
    );
    if (role === undefined) throw new Error(`no ${roleRef.kind} ${roleRef.name} to bind`);
    return roleShape.parse(role).rules.flatMap(({ apiGroups, resources, resourceNames, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.map((verb) => ({
            verb,
            group,
            resource,
            names: resourceNames,
            namespace: metadata.namespace,
          })),
        ),
      ),
    );
  });
}

/** Whether the request may be made by this grant alone. */
export const covers = (grant: Grant, record: AuditRecord): boolean =>
  grant.verb === record.verb &&
  grant.group === record.group &&
  grant.resource === [record.resource, record.subresource].filter((part) => part !== "").join("/") &&
  (grant.namespace === undefined || grant.namespace === record.namespace) &&
  (grant.names === undefined || grant.names.includes(record.name));

/** "update leases.coordination.k8s.io mimo-operator in mimo-system" */
export function grantInWords({ verb, group, resource, names, namespace }: Grant): string {
  const what = group === "" ? resource : `${resource}.${group}`;
  return [verb, what, ...(names ?? []), ...(namespace === undefined ? [] : ["in", namespace])].join(" ");
}
