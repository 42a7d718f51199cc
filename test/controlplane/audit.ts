/** The API server's audit log as typed records: who wrote what. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";

const auditEvent = z.object({
  stage: z.enum(["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]),
  requestReceivedTimestamp: z.string(),
  requestURI: z.string(),
  verb: z.string(),
  user: z.object({ username: z.string() }),
  userAgent: z.string().default(""),
  objectRef: z
    .object({
      resource: z.string().default(""),
      subresource: z.string().default(""),
      apiGroup: z.string().default(""),
      namespace: z.string().default(""),
      name: z.string().default(""),
    })
    .prefault({}),
  responseStatus: z.object({ code: z.number().default(0) }).prefault({}),
  annotations: z.record(z.string(), z.string()).default({}),
  requestObject: z.unknown().optional(),
});

/** One request. Strings are empty where the request has no such part. */
export interface AuditRecord {
  /** When the API server received it. */
  readonly time: Date;
  readonly user: string;
  /** get, list, watch, create, update, patch, delete, deletecollection */
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** HTTP status. */
  readonly code: number;
  /** RBAC stands against it. Quotas and policies answer 403, too. */
  readonly unauthorized: boolean;
  /** Its verb writes to the store: false for reviews and token requests. True for a dry run and a refusal, too. */
  readonly mutating: boolean;
  readonly dryRun: boolean;
  readonly userAgent: string;
  /** The request's body, of writes by ServiceAccounts outside kube-system; `undefined` otherwise. */
  readonly requestObject: unknown;
}

const WRITING_VERBS = new Set(["create", "update", "patch", "delete", "deletecollection"]);
/** POSTs that only ask a question. */
const ASKING_GROUPS = new Set(["authentication.k8s.io", "authorization.k8s.io"]);

/**
 * The requests of an audit log, oldest answer first. A request still being answered is not in it, except a watch,
 * which is from the moment it starts.
 */
export async function readAudit(
  path: string,
  keep: (record: AuditRecord) => boolean = () => true,
): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  let cut: SyntaxError | undefined;
  for await (const line of createInterface({
    input: createReadStream(path),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    // The last line may be one that is still being written.
    if (cut !== undefined) throw cut;
    try {
      const record = parseAuditLine(line);
      if (record !== undefined && keep(record)) records.push(record);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      cut = error;
    }
  }
  return records;
}

/** One line of the log; `undefined` for a stage of a request that another line stands for. */
export function parseAuditLine(line: string): AuditRecord | undefined {
  const event = auditEvent.parse(JSON.parse(line));
  if (event.stage !== (event.verb === "watch" ? "ResponseStarted" : "ResponseComplete")) return undefined;
  const { apiGroup, resource, subresource, namespace, name } = event.objectRef;
  const asks = ASKING_GROUPS.has(apiGroup) || (resource === "serviceaccounts" && subresource === "token");
  return {
    time: new Date(event.requestReceivedTimestamp),
    user: event.user.username,
    verb: event.verb,
    group: apiGroup,
    resource,
    subresource,
    namespace,
    name,
    code: event.responseStatus.code,
    unauthorized: event.annotations["authorization.k8s.io/decision"] === "forbid",
    mutating: WRITING_VERBS.has(event.verb) && !asks,
    dryRun: isDryRun(event.requestURI, event.requestObject),
    userAgent: event.userAgent,
    requestObject: event.requestObject,
  };
}

/** A delete may ask for it in its body instead. */
function isDryRun(requestUri: string, requestObject: unknown): boolean {
  if (new URL(requestUri, "https://localhost").searchParams.has("dryRun")) return true;
  const body = z
    .object({ kind: z.literal("DeleteOptions"), dryRun: z.array(z.string()) })
    .safeParse(requestObject);
  return body.success && body.data.dryRun.length > 0;
}
