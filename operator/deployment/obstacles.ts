import type { KubeObject } from "../../charts/kubernetes.ts";
import { isForbidden, isInvalid, isUnreadable, isWebhookFailure } from "../runtime/errors.ts";
import { controllerOf } from "./objects.ts";

/** Why the deployment can't go on until a person, or something else in the cluster, acts. */
export interface Obstacle {
  /** The condition's reason. */
  readonly reason:
    | "NameTaken"
    | "QuotaExceeded"
    | "QueueMissing"
    | "Forbidden"
    | "RejectedByServer"
    | "WebhookFailed";
  readonly message: string;
}

/** How long until a write that met an obstacle is tried again; sooner when one of the deployment's objects changes. */
export const obstacleRetrySeconds = 30;

/** An object has the name of one of ours and isn't ours: it is left alone. */
export class NameTakenError extends Error {
  constructor(object: KubeObject) {
    const owner = controllerOf(object);
    const whose =
      owner === undefined ? "was not made by this operator" : `belongs to ${owner.kind} ${owner.name}`;
    super(
      `${object.kind} ${object.metadata.name} already exists and ${whose}; it is left as it is. Delete or rename it, or give this MiMoDeployment another name`,
    );
    this.name = "NameTakenError";
  }
}

/** The obstacle behind a failed write; undefined for what trying again cures. */
export function obstacleOf(error: unknown): Obstacle | undefined {
  if (error instanceof NameTakenError) return { reason: "NameTaken", message: error.message };
  if (isForbidden(error)) {
    const quota = error.message.includes("exceeded quota");
    const remedy = quota
      ? "Raise the ResourceQuota or scale something else down"
      : "An admission policy or missing permission stands against it; see the message";
    return { reason: quota ? "QuotaExceeded" : "Forbidden", message: `${error.message}. ${remedy}` };
  }
  if (isInvalid(error) || isUnreadable(error)) return { reason: "RejectedByServer", message: error.message };
  if (isWebhookFailure(error)) {
    const remedy = "Bring its server back, or ask its owner for failurePolicy Ignore";
    return { reason: "WebhookFailed", message: `${error.message}. ${remedy}` };
  }
  return undefined;
}
