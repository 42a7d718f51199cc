import type { Condition } from "../../crds/status.ts";
import type { Revision } from "./frozen.ts";
import { type Group, groupMessage, groupState } from "./groups.ts";
import type { Report } from "./report.ts";

type Statement = Pick<Condition, "type" | "status" | "reason" | "message">;

/** Longest message a condition carries; kube conventions allow more, tables don't. */
const messageLimit = 2048;

/** All conditions, in the order in which a person should read them. */
export function conditionsOf(facts: Report, serves: (group: Group) => boolean): Statement[] {
  const ready = readiness(facts, serves);
  const stuck = stall(facts);
  const busy = stuck === undefined && ready.status !== "True";
  return [
    ready,
    availability(facts, serves),
    acceptance(facts),
    memoryFit(facts.current),
    placement(facts.groups),
    say(
      "Reconciling",
      busy ? "True" : "False",
      busy ? ready.reason : (stuck?.reason ?? "Done"),
      busy ? ready.message : "",
    ),
    say("Stalled", stuck ? "True" : "False", stuck?.reason ?? "NotStalled", stuck?.message ?? ""),
  ];
}

const say = (type: string, status: Statement["status"], reason: string, message: string): Statement => ({
  type,
  status,
  reason,
  message: message.length > messageLimit ? `${message.slice(0, messageLimit - 1)}…` : message,
});

/** What only a person, or a change elsewhere in the cluster, can mend. */
function stall({ refusals, obstacle }: Report): { reason: string; message: string } | undefined {
  const [first] = refusals;
  if (first === undefined) return obstacle;
  return {
    reason: first.code,
    message: refusals.map(({ field, message }) => `${field}: ${message}`).join("\n"),
  };
}

/** Ready: every wanted group serves, on the current revision. Its reason is the Status column. */
function readiness(facts: Report, serves: (group: Group) => boolean): Statement {
  const { current, groups, replicas } = facts;
  const stuck = stall(facts);
  if (stuck !== undefined) return say("Ready", "False", stuck.reason, stuck.message);
  if (replicas === 0 && groups.length === 0)
    return say("Ready", "True", "ScaledToZero", "no serving group is wanted");

  const good = groups.filter((group) => serves(group) && group.revision === current?.hash);
  const tally = `${good.length} of ${replicas} serving groups are Ready`;
  if (good.length === replicas && groups.length === replicas) return say("Ready", "True", "Ready", tally);
  if (groups.length > replicas)
    return say("Ready", "False", "ScalingDown", `${tally}; ${groups.length - replicas} more are going`);
  const behind = groups.filter(({ revision }) => revision !== current?.hash);
  if (behind.length > 0)
    return say(
      "Ready",
      "False",
      "Updating",
      `${tally} on revision ${current?.hash}; ${behind.length} still to update`,
    );
  if (groups.length === 0) return say("Ready", "Unknown", "Creating", tally);

  const waiting = groups.find((group) => !serves(group));
  const state = waiting === undefined ? "Pending" : groupState(waiting);
  const why = waiting === undefined ? undefined : groupMessage(waiting);
  return say(
    "Ready",
    "False",
    state === "Ready" ? "Updating" : state,
    why === undefined ? tally : `${tally}; ${why}`,
  );
}

/** Groups that may be missing while a rollout goes on. */
const maxUnavailable = 1;

function availability({ groups, replicas }: Report, serves: (group: Group) => boolean): Statement {
  const serving = groups.filter(serves).length;
  const needed = Math.max(1, replicas - maxUnavailable);
  const message = `${serving} serving groups are Ready, ${needed} are needed`;
  return serving >= needed
    ? say("Available", "True", "MinimumReady", message)
    : say("Available", "False", replicas === 0 ? "ScaledToZero" : "BelowMinimum", message);
}

function acceptance({ refusals, current }: Report): Statement {
  const [first] = refusals;
  if (first !== undefined)
    return say(
      "Accepted",
      "False",
      first.code,
      refusals.map(({ field, message }) => `${field}: ${message}`).join("\n"),
    );
  const { level, note } = current?.plan.provenance ?? { level: "Derived", note: "" };
  return say(
    "Accepted",
    "True",
    "Planned",
    [`recipe is ${level}`, note].filter((part) => part !== "").join(": "),
  );
}

function memoryFit(current: Revision | undefined): Statement {
  if (current === undefined) return say("MemoryFit", "Unknown", "NotPlanned", "");
  const { weightsGibPerGpu, kvGibPerGpu, tokensPerDataParallelRank, fits } = current.plan.memory;
  const message = `${weightsGibPerGpu.toFixed(1)} GiB of weights and ${kvGibPerGpu.toFixed(1)} GiB of KV cache per GPU hold ${tokensPerDataParallelRank} tokens; a request may have ${current.plan.contextLength} (estimated, not measured on GPUs)`;
  return say("MemoryFit", fits ? "True" : "False", fits ? "Fits" : "DoesNotFit", message);
}

/** True when every rank has a node; the scheduler's own words when it says no. */
function placement(groups: readonly Group[]): Statement {
  const ranks = groups.flatMap((group) => group.pods);
  const placed = ranks.filter((pod) => pod?.spec.nodeName !== undefined).length;
  const wanted = groups.reduce((sum, group) => sum + group.ranks, 0);
  const message = `${placed} of ${wanted} ranks have a node`;
  if (placed === wanted) return say("PlacementReady", "True", "Placed", message);
  for (const pod of ranks) {
    const refused = pod?.status?.conditions?.find(
      ({ type, status }) => type === "PodScheduled" && status === "False",
    );
    if (refused?.reason === "Unschedulable")
      return say(
        "PlacementReady",
        "False",
        "Unschedulable",
        `${message}; ${pod?.metadata.name}: ${refused.message ?? ""}`,
      );
  }
  return say("PlacementReady", "Unknown", "Waiting", message);
}
