import { annotations } from "../../charts/names.ts";
import type { Condition } from "../../crds/status.ts";
import type { Refusal } from "../../synth/serving-plan.ts";
import type { Decision } from "./decide.ts";
import type { Revision } from "./frozen.ts";
import { type Group, groupMessage, groupState, percentLoaded, serves, unschedulable } from "./groups.ts";
import { isOutsideQueue, outsideQueueMessage } from "./queueing.ts";
import type { Report } from "./report.ts";
import type { Target } from "./target.ts";
import { updateReasons } from "./wave.ts";

type Statement = Pick<Condition, "type" | "status" | "reason" | "message">;

/** Longest message a condition carries; kube conventions allow more, tables don't. */
const messageLimit = 2048;

/** All conditions, in the order in which a person should read them. */
export function conditionsOf(facts: Report): Statement[] {
  const { decision, groups } = facts;
  const ready = readiness(facts);
  const stuck = stall(facts);
  const resting = ready.status === "True" || (decision.suspended && groups.length === 0);
  const busy = stuck === undefined && !resting;
  return [
    ready,
    availability(facts),
    acceptance(decision.target),
    memoryFit(decision.target.revision),
    placement(groups, decision),
    updateAvailable(decision, ready),
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
function stall({ decision, obstacle, groups }: Report): { reason: string; message: string } | undefined {
  const { target, failure } = decision;
  const [first] = target.refusals;
  if (first !== undefined) return { reason: first.code, message: sentences(target.refusals) };
  if (obstacle !== undefined) return obstacle;
  const failed = target.requested?.failed;
  if (failed !== undefined && target.rolledBack === failed) {
    const remedy = "change the request, or ask for it again";
    return {
      reason: "RolledBack",
      message: `revision ${target.requested?.hash} failed (${failed}); revision ${target.revision?.hash} serves; ${remedy}`,
    };
  }
  if (failure === undefined) return undefined;
  const updating = groups.some(({ revision }) => revision !== target.revision?.hash);
  const remedy = `change the request, or set the annotation ${annotations.retry} to a new value to try again`;
  return { reason: updating ? "RolloutStalled" : "Failing", message: `${failure}; ${remedy}` };
}

const sentences = (refusals: readonly Refusal[]): string =>
  refusals.map(({ field, message }) => `${field}: ${message}`).join("\n");

/** Ready: every wanted group serves, on the revision that the request resolves to. Its reason is the Status column. */
function readiness(facts: Report): Statement {
  const { groups, decision } = facts;
  const { replicas, suspended, target } = decision;
  const stuck = stall(facts);
  if (stuck !== undefined) return say("Ready", "False", stuck.reason, stuck.message);
  if (suspended)
    return say(
      "Ready",
      "False",
      "Suspended",
      groups.length === 0 ? "all GPUs are free" : `${groups.length} serving groups are going`,
    );
  if (replicas === 0 && groups.length === 0)
    return say("Ready", "True", "ScaledToZero", "no serving group is wanted");

  const current = target.revision?.hash;
  const good = groups.filter((group) => serves(group) && group.revision === current);
  const back = target.rolledBack === undefined ? "" : `; ${target.rolledBack}`;
  const tally = `${good.length} of ${replicas} serving groups are Ready${back}`;
  if (decision.toRestart > 0)
    return say("Ready", "False", "Restarting", `${tally}; ${decision.toRestart} still to restart`);
  if (good.length === replicas && groups.length === replicas)
    return say("Ready", "True", back === "" ? "Ready" : "RolledBack", tally);
  if (groups.length > replicas && good.length >= replicas)
    return say("Ready", "False", "ScalingDown", `${tally}; ${groups.length - replicas} more are going`);
  const behind = groups.filter(({ revision }) => revision !== current);
  if (behind.length > 0)
    return say(
      "Ready",
      "False",
      "Updating",
      `${tally} on revision ${current}; ${behind.length} still to update`,
    );
  if (groups.length === 0) return say("Ready", "Unknown", "Creating", tally);

  const waiting = groups.find((group) => !serves(group));
  const problem = waiting && decision.problems.get(waiting.id);
  const state = waiting === undefined ? "Pending" : groupState(waiting, problem !== undefined);
  const why =
    waiting === undefined ? undefined : (groupMessage(waiting) ?? problem?.message ?? loaded(waiting));
  return say(
    "Ready",
    "False",
    state === "Ready" ? "Updating" : state,
    why === undefined ? tally : `${tally}; ${why}`,
  );
}

function loaded(group: Group): string | undefined {
  const percent = percentLoaded(group);
  return percent === undefined ? undefined : `group ${group.id} has loaded ${percent} % of its weights`;
}

function availability({ groups, decision }: Report): Statement {
  const { replicas, maxUnavailable } = decision;
  const serving = groups.filter(serves).length;
  const needed = Math.max(1, replicas - maxUnavailable);
  const message = `${serving} serving groups are Ready, ${needed} are needed`;
  return serving >= needed
    ? say("Available", "True", "MinimumReady", message)
    : say("Available", "False", replicas === 0 ? "ScaledToZero" : "BelowMinimum", message);
}

function acceptance({ refusals, requested }: Target): Statement {
  const [first] = refusals;
  if (first !== undefined) return say("Accepted", "False", first.code, sentences(refusals));
  const { level, note } = requested?.plan.provenance ?? { level: "Derived", note: "" };
  return say(
    "Accepted",
    "True",
    "Planned",
    [`recipe is ${level}`, note].filter((part) => part !== "").join(": "),
  );
}

/** The catalogue or the platform would plan the request otherwise today; what runs stays until that is adopted. */
function updateAvailable({ target, adopting, failure }: Decision, ready: Statement): Statement {
  const { update, requested } = target;
  if (update !== undefined) {
    const { hash, wave } = update;
    if (wave === "itsTurn")
      return say("UpdateAvailable", "False", updateReasons.adopting, `revision ${hash} is next`);
    const changes = update.changes.join("; ") || "pods are rendered otherwise";
    const how = `set the annotation ${annotations.adopt} to ${hash} to adopt it`;
    return wave === "waits"
      ? say(
          "UpdateAvailable",
          "True",
          updateReasons.waiting,
          `${changes}; the platform's wave brings it; ${how} at once`,
        )
      : say("UpdateAvailable", "True", updateReasons.available, `${changes}; ${how}`);
  }
  if (!adopting || ready.status === "True") return say("UpdateAvailable", "False", updateReasons.none, "");
  const failed = failure ?? requested?.failed;
  return failed === undefined
    ? say("UpdateAvailable", "False", updateReasons.adopting, `revision ${requested?.hash} is on its way`)
    : say("UpdateAvailable", "False", updateReasons.failed, `revision ${requested?.hash} failed: ${failed}`);
}

function memoryFit(current: Revision | undefined): Statement {
  if (current === undefined) return say("MemoryFit", "Unknown", "NotPlanned", "");
  const { weightsGibPerGpu, kvGibPerGpu, tokensPerDataParallelRank, fits } = current.plan.memory;
  const message = `${weightsGibPerGpu.toFixed(1)} GiB of weights and ${kvGibPerGpu.toFixed(1)} GiB of KV cache per GPU hold ${tokensPerDataParallelRank} tokens; a request may have ${current.plan.contextLength} (estimated, not measured on GPUs)`;
  return say("MemoryFit", fits ? "True" : "False", fits ? "Fits" : "DoesNotFit", message);
}

/** True when every rank has a node; what is missing in numbers, or the scheduler's own words, when they can't have one. */
function placement(groups: readonly Group[], { problems, channelTroubles }: Decision): Statement {
  const ranks = groups.flatMap((group) => group.pods);
  const placed = ranks.filter((pod) => pod?.spec.nodeName !== undefined).length;
  const wanted = groups.reduce((sum, group) => sum + group.ranks, 0);
  const message = [`${placed} of ${wanted} ranks have a node`, ...channelTroubles].join("; ");
  if (placed === wanted) {
    const outside = ranks.find((pod) => pod !== undefined && isOutsideQueue(pod));
    return outside === undefined
      ? say("PlacementReady", "True", "Placed", message)
      : say("PlacementReady", "True", "OutsideQueue", `${message}; ${outsideQueueMessage(outside)}`);
  }
  const held = groups.find(({ queued }) => queued !== undefined);
  if (held !== undefined)
    return say("PlacementReady", "False", "Queued", `${message}; group ${held.id}: ${held.queued}`);
  const [[id, problem] = []] = problems;
  if (problem !== undefined)
    return say("PlacementReady", "False", problem.reason, `${message}; group ${id}: ${problem.message}`);
  for (const pod of ranks) {
    const refused = pod && unschedulable(pod);
    if (refused !== undefined)
      return say("PlacementReady", "False", "Unschedulable", `${message}; ${pod?.metadata.name}: ${refused}`);
  }
  return say("PlacementReady", "Unknown", "Waiting", message);
}
