import { z } from "zod";

const statusSchema = z.looseObject({
  kind: z.literal("Status"),
  code: z.number().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
  details: z
    .looseObject({
      retryAfterSeconds: z.number().optional(),
      causes: z
        .array(
          z.looseObject({
            reason: z.string().optional(),
            message: z.string().optional(),
            field: z.string().optional(),
          }),
        )
        .optional(),
    })
    .optional(),
});

export interface ErrorCause {
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly field?: string | undefined;
}

/** The API server answered with an error. `subject` says what was asked: "apply statefulsets.apps team-a/pro-0". */
export class ApiError extends Error {
  readonly code: number;
  /** Machine-readable `Status.reason` such as "Conflict"; "" when the server gave none. */
  readonly reason: string;
  readonly retryAfterSeconds: number | undefined;
  readonly causes: readonly ErrorCause[];

  constructor(subject: string, answer: ErrorAnswer) {
    super(`${subject}: ${answer.code} ${answer.reason}: ${answer.message}`);
    this.name = "ApiError";
    this.code = answer.code;
    this.reason = answer.reason;
    this.retryAfterSeconds = answer.retryAfterSeconds;
    this.causes = answer.causes;
  }
}

export interface ErrorAnswer {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly retryAfterSeconds: number | undefined;
  readonly causes: readonly ErrorCause[];
}

/** The request, or its answer, was lost on the way. A write may or may not have been made. */
export class TransportError extends Error {
  readonly timedOut: boolean;

  constructor(subject: string, request: string, cause: unknown, timedOut: boolean) {
    super(`${subject}: ${request}: ${describe(cause)}`, { cause });
    this.name = "TransportError";
    this.timedOut = timedOut;
  }
}

/** A write was refused before or during sending because this process does not, or no longer, lead. */
export class NotLeaderError extends Error {
  constructor(subject: string) {
    super(`${subject}: refused, this process is not the leader (or could not renew its lease in time)`);
    this.name = "NotLeaderError";
  }
}

/** Reads an error body: a `Status`, or whatever a proxy in between wrote. */
export function parseErrorAnswer(
  code: number,
  body: string,
  retryAfterHeader: string | undefined,
): ErrorAnswer {
  const status = statusSchema.safeParse(parseJson(body));
  const headerSeconds = Number(retryAfterHeader);
  const fromHeader = retryAfterHeader !== undefined && headerSeconds >= 0 ? headerSeconds : undefined;
  if (!status.success) {
    return {
      code,
      reason: "",
      message: body.trim().slice(0, 500) || "empty answer",
      retryAfterSeconds: fromHeader,
      causes: [],
    };
  }
  const { reason, message, details } = status.data;
  return {
    code: status.data.code ?? code,
    reason: reason ?? "",
    message: message ?? "no message",
    retryAfterSeconds: fromHeader ?? details?.retryAfterSeconds,
    causes: details?.causes ?? [],
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = "code" in cause && typeof cause.code === "string" ? ` (${cause.code})` : "";
  return `${cause.message || cause.name}${code}`;
}

function hasCode(error: unknown, code: number, reason?: string): error is ApiError {
  return (
    error instanceof ApiError && error.code === code && (reason === undefined || error.reason === reason)
  );
}

export const isNotFound = (error: unknown): error is ApiError => hasCode(error, 404);
export const isForbidden = (error: unknown): error is ApiError => hasCode(error, 403);
/** Quota, or a namespace that is being deleted, is a 403 with a cause; this is the latter. */
export const isNamespaceTerminating = (error: unknown): error is ApiError =>
  hasCode(error, 403) && error.causes.some((cause) => cause.reason === "NamespaceTerminating");
export const isAlreadyExists = (error: unknown): error is ApiError => hasCode(error, 409, "AlreadyExists");
/** Somebody wrote in between, a precondition failed, or another manager owns a field. */
export const isConflict = (error: unknown): error is ApiError =>
  hasCode(error, 409) && error.reason !== "AlreadyExists";
/** The body can't even be read as an object of its kind: text where a list should be. */
export const isUnreadable = (error: unknown): error is ApiError => hasCode(error, 400);
export const isInvalid = (error: unknown): error is ApiError => hasCode(error, 422);
/** A JSON patch doesn't fit the object, such as one whose `test` failed. Rules and policies use the same code with words of their own. */
export const isUnfittingPatch = (error: unknown): error is ApiError =>
  isInvalid(error) &&
  error.message.includes("the server rejected our request due to an error in our request");
/** A webhook that has to be asked didn't answer: the API server has no better code for it, only these words. */
export const isWebhookFailure = (error: unknown): error is ApiError =>
  hasCode(error, 500) && error.message.includes("failed calling webhook");
export const isTooManyRequests = (error: unknown): error is ApiError => hasCode(error, 429);
/** The resourceVersion asked for is too old: list again. */
export const isGone = (error: unknown): error is ApiError => hasCode(error, 410);
/** The resourceVersion asked for is newer than this API server has seen. */
export const isResourceVersionTooLarge = (error: unknown): error is ApiError =>
  error instanceof ApiError &&
  (error.causes.some((cause) => cause.reason === "ResourceVersionTooLarge") ||
    error.message.includes("Too large resource version"));
