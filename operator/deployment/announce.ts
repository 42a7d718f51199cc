import type { Condition } from "../../crds/status.ts";
import type { EventRecorder } from "../runtime/events.ts";
import type { Deployment } from "./objects.ts";
import { nameOf, type Step } from "./steps.ts";

/** Says as Events on the deployment what its users should hear of. */
export interface Announcer {
  step(deployment: Deployment, step: Step): void;
  /** The deployment can't go on by itself. */
  stalled(deployment: Deployment, condition: Pick<Condition, "reason" | "message">): void;
}

const warnings: ReadonlySet<string> = new Set([
  "GroupRebuilding",
  "GroupGivenUp",
  "RollingBack",
  "GroupNotPlaced",
]);

export function createAnnouncer(events: EventRecorder): Announcer {
  return {
    step: (deployment, step) => {
      if (step.event === undefined) return;
      events.record(deployment, {
        type: warnings.has(step.event) ? "Warning" : "Normal",
        reason: step.event,
        action: `${step.do.slice(0, 1).toUpperCase()}${step.do.slice(1)}`,
        note: `${step.resource.kind} ${nameOf(step)}: ${step.reason}`,
      });
    },
    stalled: (deployment, { reason, message }) =>
      events.record(deployment, { type: "Warning", reason, action: "Wait", note: message }),
  };
}
