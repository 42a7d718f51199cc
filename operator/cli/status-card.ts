import { styleText } from "node:util";
import { z } from "zod";
import { type Condition, type GroupFailure, type GroupStatus, unseen } from "../../crds/status.ts";
import type { Deployment } from "../deployment/objects.ts";
import { readStatus } from "../deployment/observe.ts";
import { formatAge } from "./age.ts";
import { alignColumns, wrapWords } from "./table.ts";

const shownSpec = z.object({ variant: z.string(), hardware: z.string(), replicas: z.int().default(1) });

/** What the operator says of one deployment. Its JSON is for programs and may only grow. */
export function statusJson(deployment: Deployment): object {
  const { name, namespace, generation } = deployment.metadata;
  return {
    name,
    namespace,
    generation,
    ...shownSpec.parse(deployment.spec),
    status: deployment.status ?? {},
  };
}

/** Its generation is the one that the operator last looked at: what it says is of this request. */
const readyOf = (deployment: Deployment): Pick<Condition, "status" | "reason" | "message"> => {
  const status = readStatus(deployment);
  const found = status?.conditions?.find(({ type }) => type === "Ready");
  if (found === undefined || status?.observedGeneration === undefined) return unseen;
  if (status.observedGeneration !== deployment.metadata.generation)
    return { ...found, status: "Unknown", message: `${found.message} (said of an earlier request)` };
  return found;
};

/** Only a person, or a change elsewhere, can help it on. */
export const isStuck = (deployment: Deployment): boolean =>
  readStatus(deployment)?.conditions?.some(({ type, status }) => type === "Stalled" && status === "True") ??
  false;

/** One line that says where it stands, for logs. */
export function statusLine(deployment: Deployment): string {
  const { reason, message } = readyOf(deployment);
  return `${reason}: ${message.split("\n").join("; ")}`;
}

/** A screenful: what it is, its groups, and of the conditions those that call for attention. */
export function statusCard(deployment: Deployment, columns: number, now: Date): string[] {
  const { name, namespace } = deployment.metadata;
  const { variant, hardware } = shownSpec.parse(deployment.spec);
  const status = readStatus(deployment);
  const ready = readyOf(deployment);
  const groups = status?.groups ?? [];
  const reason = styleText(ready.status === "True" ? "green" : "yellow", ready.reason);
  return [
    `${styleText("bold", `${namespace}/${name}: ${variant} on ${hardware}`)}  ${reason}`,
    ...ready.message.split("\n").flatMap((line) => indented(wrapWords(line, columns - 2))),
    ...(groups.length === 0 ? [] : ["", ...indented(groupTable(groups))]),
    ...groups.flatMap(({ id, lastFailure }) =>
      lastFailure === undefined
        ? []
        : indented(wrapWords(`Group ${id} last failed ${failure(lastFailure, now)}`, columns - 2)),
    ),
    ...conditionLines(status?.conditions ?? [], columns),
  ];
}

const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

function groupTable(groups: readonly GroupStatus[]): string[] {
  return alignColumns([
    ["GROUP", "STATE", "LOADED", "RANKS", "RESTARTS", "REVISION", "NODES"],
    ...groups.map((group) => [
      String(group.id),
      group.state,
      group.percentLoaded === undefined ? "" : `${group.percentLoaded} %`,
      `${group.readyRanks}/${group.ranks}`,
      String(group.restarts ?? 0),
      group.revision,
      group.nodes.map((node) => node || "-").join(", "),
    ]),
  ]);
}

function failure({ time, pod, node, exitCode, reason, message }: GroupFailure, now: Date): string {
  const code = exitCode === undefined ? "" : `, exit code ${exitCode}`;
  const where = node === "" ? "" : ` on ${node}`;
  return `${formatAge(time, now)} ago: ${pod}${where}: ${reason}${code}${message === "" ? "" : `: ${message}`}`;
}

/** What is as it should be is left out, and so is what says Ready's words again. */
function conditionLines(conditions: readonly Condition[], columns: number): string[] {
  const spoken = conditions.find(({ type }) => type === "Ready")?.message;
  const telling = conditions.filter(({ type, status, message }) => {
    if (type === "Ready" || type === "Reconciling" || message === spoken) return false;
    return status !== (["Stalled", "UpdateAvailable"].includes(type) ? "False" : "True");
  });
  if (telling.length === 0) return [];
  const head = (each: Condition): string[] => [each.type, each.status, each.reason];
  const width = alignColumns(telling.map((each) => [...head(each), ""])).map((line) => line.length);
  const room = Math.max(30, columns - Math.max(...width) - 4);
  const rows = telling.flatMap((each) =>
    each.message
      .split("\n")
      .flatMap((line) => wrapWords(line, room))
      .map((line, index) => [...(index === 0 ? head(each) : ["", "", ""]), line]),
  );
  return ["", ...indented(alignColumns(rows))];
}
