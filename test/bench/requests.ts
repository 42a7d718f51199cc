import type { AuditRecord } from "../controlplane/audit.ts";

/** What one controller asked for in one namespace and time. */
export interface Window {
  readonly user: string;
  readonly namespace: string;
  readonly from: Date;
  readonly to: Date;
}

/** Requests by verb and resource, such as `delete pods`. */
export type RequestCounts = Readonly<Record<string, number>>;

/**
 * Requests of each group, refused ones included. Every object of a group is named after it: `<group>`, then a dash (its
 * pods), or a dot (its Events). So no name of a group may have a dash or a dot.
 */
export function requestsByGroup(
  audit: readonly AuditRecord[],
  { user, namespace, from, to }: Window,
): Map<string, RequestCounts> {
  const theirs = audit.filter(
    (record) =>
      record.user === user &&
      record.namespace === namespace &&
      record.verb !== "watch" &&
      record.time >= from &&
      record.time <= to,
  );
  const groups = Map.groupBy(theirs, groupOf);
  return new Map([...groups].map(([group, records]) => [group, countByKind(records)]));
}

export const groupOf = ({ name }: Pick<AuditRecord, "name">): string => name.split(/[-.]/)[0] ?? "";

/** Requests of one controller in a time, wherever. Leases and questions about permissions are not among them. */
export function requestsWithin(
  audit: readonly AuditRecord[],
  { user, from, to }: Omit<Window, "namespace">,
): AuditRecord[] {
  return audit.filter(
    (record) =>
      record.user === user &&
      record.verb !== "watch" &&
      record.group !== "coordination.k8s.io" &&
      (record.mutating || ["get", "list"].includes(record.verb)) &&
      record.time >= from &&
      record.time <= to,
  );
}

export function countByKind(records: readonly AuditRecord[]): RequestCounts {
  const kinds = Map.groupBy(
    records,
    ({ verb, resource, subresource }) => `${verb} ${[resource, subresource].filter(Boolean).join("/")}`,
  );
  return Object.fromEntries([...kinds].map(([kind, of]) => [kind, of.length]));
}
