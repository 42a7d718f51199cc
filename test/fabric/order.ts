/** In which order ComputeDomains, pods and claim templates came and went, from the API server's audit log. */
import { z } from "zod";
import { type AuditRecord, readAudit } from "../controlplane/audit.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { operatorUser } from "../e2e/operator.ts";
import { driverUser } from "./nvidia.ts";

const statefulSetController = "system:serviceaccount:kube-system:statefulset-controller";

export interface Order {
  /** What came out of its order, in words; empty when all is well. */
  readonly wrong: readonly string[];
  /** ComputeDomains that were made and that were deleted. */
  readonly made: number;
  readonly removed: number;
  /** Claim templates that NVIDIA's controller made. */
  readonly templates: number;
}

/** By namespace. */
export async function orders({ auditLog }: ControlPlane): Promise<ReadonlyMap<string, Order>> {
  const records = await readAudit(auditLog, ({ mutating, code, subresource }) => {
    return mutating && code < 300 && subresource === "";
  });
  const byNamespace = Map.groupBy(records, ({ namespace }) => namespace);
  return new Map([...byNamespace].map(([namespace, own]) => [namespace, orderOf(own)]));
}

function orderOf(records: readonly AuditRecord[]): Order {
  const indexes = (test: (record: AuditRecord) => boolean): number[] =>
    records.flatMap((record, index) => (test(record) ? [index] : []));
  const made = indexes(({ verb, resource, user }) => {
    return verb === "create" && resource === "computedomains" && user === operatorUser;
  });
  const removed = indexes(({ verb, resource, user }) => {
    return verb === "delete" && resource === "computedomains" && user === operatorUser;
  });
  const finalizer = records.findIndex(({ verb, resource, user }) => {
    return verb === "patch" && resource === "mimodeployments" && user === operatorUser;
  });
  const wrong = made
    .filter((at) => finalizer < 0 || finalizer > at)
    .map(() => "a domain before the finalizer");
  for (const group of new Set(made.map((at) => nameOf(records[at])))) {
    const own = (pod: AuditRecord): boolean => pod.resource === "pods" && pod.name.startsWith(`${group}-`);
    const first = made.find((at) => nameOf(records[at]) === group) ?? 0;
    const opened = indexes((record) => own(record) && record.user === operatorUser && opensGate(record));
    if (opened.some((at) => at < first)) wrong.push(`${group}: a gate before its domain`);
    const born = indexes((record) => {
      return (
        record.resource === "pods" &&
        record.user === statefulSetController &&
        nameOf(record).startsWith(`${group}-`)
      );
    });
    const last = removed.findLast((at) => records[at]?.name === group);
    if (last === undefined) continue;
    const gone = indexes((record) => record.verb === "delete" && own(record));
    if (born.length > 0 && gone.length === 0) wrong.push(`${group}: its domain went and no pod did`);
    if (gone.some((at) => at > last)) wrong.push(`${group}: its domain before its last pod`);
  }
  return {
    wrong,
    made: made.length,
    removed: removed.length,
    templates: indexes(({ verb, resource, user }) => {
      return verb === "create" && resource === "resourceclaimtemplates" && user === driverUser;
    }).length,
  };
}

const created = z.object({ metadata: z.object({ name: z.string() }) });
/** A create has the name in its body alone. */
const nameOf = (record: AuditRecord | undefined): string =>
  record === undefined
    ? ""
    : record.name || (created.safeParse(record.requestObject).data?.metadata.name ?? "");

const jsonPatch = z.array(z.looseObject({ op: z.string(), path: z.string() }));
const opensGate = ({ verb, requestObject }: AuditRecord): boolean =>
  verb === "patch" &&
  (jsonPatch.safeParse(requestObject).data ?? []).some(
    ({ op, path }) => op === "remove" && path === "/spec/schedulingGates",
  );
