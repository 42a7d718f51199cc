import type { KubeObject } from "../../charts/kubernetes.ts";
import type { Clock } from "./clock.ts";
import { startDeadline } from "./deadline.ts";
import { ApiError, parseErrorAnswer, TransportError } from "./errors.ts";
import { type Call, describeCall, type Requester } from "./request.ts";

export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  /** Raw JSON. A bookmark carries only its resourceVersion. */
  readonly object: KubeObject;
}

const NEWLINE = 0x0a;

/** Sends a watch and yields its events until the server ends it; fails after `timeoutSeconds` of silence. */
export async function* openWatch(requester: Requester, clock: Clock, call: Call): AsyncGenerator<WatchEvent> {
  const subject = describeCall(call);
  const silence = startDeadline(
    clock,
    call.timeoutSeconds * 1000,
    [call.signal],
    () => new Error(`${subject}: nothing was heard for ${call.timeoutSeconds} s, not even a bookmark`),
  );
  try {
    const body = await requester.stream(call, silence.signal);
    yield* decodeWatch(heard(body, silence.restart), subject);
  } catch (error) {
    if (silence.signal.aborted) throw silence.signal.reason;
    if (error instanceof ApiError || error instanceof TransportError) throw error;
    throw new TransportError(subject, "the watch broke off", error, false);
  } finally {
    silence.release();
  }
}

async function* heard(body: AsyncIterable<Uint8Array>, onChunk: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    onChunk();
    yield chunk;
  }
}

/**
 * Events of a watch body, one JSON document a line. Lines are cut in bytes, because a chunk may end in the
 * middle of a UTF-8 character.
 * @throws ApiError for an ERROR event; Error for a line that is not JSON or that the stream cuts off.
 */
export async function* decodeWatch(
  body: AsyncIterable<Uint8Array>,
  subject: string,
): AsyncGenerator<WatchEvent> {
  for await (const line of splitLines(body)) {
    const event = parseEvent(line);
    if (event === undefined) {
      throw new Error(`${subject}: not a watch event: ${JSON.stringify(line.slice(0, 120))}`);
    }
    if (event.type === "ERROR") {
      throw new ApiError(subject, parseErrorAnswer(500, JSON.stringify(event.object), undefined));
    }
    if (isKnown(event)) yield event;
  }
}

/** @throws Error when the stream ends inside a line: what it said is lost and must be asked for again. */
export async function* splitLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let pending: Uint8Array[] = [];
  for await (const chunk of body) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      pending.push(chunk.subarray(start, end));
      const line = Buffer.concat(pending).toString("utf8");
      pending = [];
      start = end + 1;
      if (line !== "") yield line;
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
  }
  const rest = Buffer.concat(pending).toString("utf8");
  if (rest.trim() !== "") throw new Error(`the stream ended inside a line after ${rest.length} characters`);
}

interface RawEvent {
  readonly type: string;
  readonly object: KubeObject;
}

function parseEvent(line: string): RawEvent | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  return isEvent(parsed) ? parsed : undefined;
}

function isEvent(value: unknown): value is RawEvent {
  return (
    typeof value === "object" &&
    value !== null &&
    "type" in value &&
    typeof value.type === "string" &&
    "object" in value &&
    typeof value.object === "object" &&
    value.object !== null
  );
}

function isKnown(event: RawEvent): event is WatchEvent {
  return ["ADDED", "MODIFIED", "DELETED", "BOOKMARK"].includes(event.type);
}
