/** What can become of the lines of a watch. */
import { setTimeout as delay } from "node:timers/promises";
import { splitLines } from "../../operator/runtime/watch-stream.ts";
import { errorBody } from "./actions.ts";

export type Edit =
  | "pass"
  /** The event never comes, and nothing tells. */
  | "drop"
  | "twice"
  /** It comes after the next one. */
  | "swap"
  /** The connection breaks before it. */
  | "cut"
  /** The connection ends in the middle of it. */
  | "torn"
  /** An ERROR event instead, which ends the watch: 410 Gone, or 500. */
  | "gone"
  | "error"
  /** It and all that follow wait this long, in order. */
  | { readonly seconds: number }
  /** It and all that follow wait for this, in order; or the watch ends with 410 then, and what came meanwhile never shows. */
  | { readonly until: Promise<unknown>; readonly isGone?: true };

/** One line of a watch, as far as the weather looks at it. */
export interface WatchLine {
  readonly resource: string;
  /** ADDED, MODIFIED, DELETED, BOOKMARK or ERROR. */
  readonly type: string;
  /** The whole event as JSON. */
  readonly text: string;
}

export type Weather = (line: WatchLine) => Edit;

/** How long a swapped event waits for another to come before it. */
const swapMilliseconds = 1000;

/** The lines of a watch after the weather had its way. @throws Error where the connection breaks. */
export async function* editStream(
  body: AsyncIterable<Uint8Array>,
  resource: string,
  weather: () => Weather | undefined,
): AsyncGenerator<string> {
  const lines = splitLines(body);
  let late: string | undefined;
  const nextLine = (): ReturnType<typeof lines.next> => {
    const line = lines.next();
    // Where the weather ends the watch nobody waits for the line any more.
    line.catch(() => undefined);
    return line;
  };
  let coming = nextLine();
  for (;;) {
    if (late !== undefined) {
      const next = await Promise.race([coming, delay(swapMilliseconds)]);
      if (next === undefined) yield late;
      if (next === undefined) late = undefined;
    }
    const { value: text, done } = await coming;
    if (done === true) break;
    coming = nextLine();
    const type = /^\{"type":"([A-Z]+)"/.exec(text)?.[1] ?? "";
    let edit = weather()?.({ resource, type, text }) ?? "pass";
    if (typeof edit === "object") {
      await ("until" in edit ? edit.until : delay(edit.seconds * 1000));
      edit = "isGone" in edit && edit.isGone ? "gone" : "pass";
    }
    if (edit === "cut") throw new Error("cut by the proxy of a test");
    if (edit === "torn") {
      yield text.slice(0, Math.ceil(text.length / 2));
      return;
    }
    if (edit === "gone" || edit === "error") {
      const [code, reason] = edit === "gone" ? [410, "Expired"] : [500, "InternalError"];
      yield `{"type":"ERROR","object":${errorBody({ code: Number(code), reason: String(reason) })}}\n`;
      return;
    }
    if (edit === "swap" && late === undefined) {
      late = `${text}\n`;
      continue;
    }
    if (edit !== "drop") yield `${text}\n`;
    if (edit === "twice") yield `${text}\n`;
    if (late !== undefined) yield late;
    late = undefined;
  }
  if (late !== undefined) yield late;
}
