import fc from "fast-check";
import { expect, test } from "vitest";
import { ApiError } from "../../../operator/runtime/errors.ts";
import { decodeWatch, splitLines } from "../../../operator/runtime/watch-stream.ts";

async function* chunked(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    yield bytes.subarray(start, Math.max(start, cut));
    start = Math.max(start, cut);
  }
  yield bytes.subarray(start);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function bytesOf(...events: object[]): Uint8Array {
  return Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
}

const object = { apiVersion: "v1", kind: "Pod", metadata: { name: "a", resourceVersion: "7" } };

test("lines survive any chunking, also through the middle of a character", async () => {
  const line = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("\n"));
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat(400)), async (lines, cuts) => {
      const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(""));
      expect(await collect(splitLines(chunked(bytes, cuts)))).toEqual(lines);
    }),
  );
});

test("a stream that ends inside a line fails instead of losing the event", async () => {
  const bytes = bytesOf({ type: "ADDED", object });
  const stream = decodeWatch(chunked(bytes.subarray(0, bytes.length - 10), []), "watch pods");
  await expect(collect(stream)).rejects.toThrow(/ended inside a line/);
});

test("an ERROR event surfaces as the server's error", async () => {
  const stream = decodeWatch(
    chunked(
      bytesOf({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired", message: "old" } }),
      [],
    ),
    "watch pods",
  );
  const error = await collect(stream).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ code: 410, message: "watch pods: 410 Expired: old" });
});

test("a line that is not an event fails with its beginning", async () => {
  await expect(collect(decodeWatch(chunked(Buffer.from("<html>\n"), []), "watch pods"))).rejects.toThrow(
    'watch pods: not a watch event: "<html>"',
  );
});
