import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, request, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { type FaultProxy, startProxy } from "../../faults/proxy.ts";
import type { Edit } from "../../faults/watch-edits.ts";
import { selfSigned } from "../runtime/self-signed.ts";

let directory: string;
let upstream: Server;
let proxy: FaultProxy;
/** What the API server was asked. */
const seen: string[] = [];

const eventsOfAWatch = 6;

beforeAll(async () => {
  const { certificate, key } = selfSigned("proxy");
  directory = await mkdtemp(join(tmpdir(), "mimo-proxy-"));
  await mkdir(join(directory, "certificates"));
  await writeFile(join(directory, "certificates", "apiserver.crt"), certificate);
  await writeFile(join(directory, "certificates", "apiserver.key"), key);
  upstream = createServer({ key, cert: certificate }, (incoming, response) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    incoming.resume();
    if (incoming.url?.includes("watch=true")) {
      response.writeHead(200);
      for (let number = 1; number <= eventsOfAWatch; number += 1)
        response.write(`{"type":"ADDED","object":{"number":${number}}}\n`);
      response.end();
      return;
    }
    incoming.once("end", () => {
      response.writeHead(201, { "content-type": "application/json" });
      response.end("{}");
    });
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const { port } = z.object({ port: z.int() }).parse(upstream.address());
  proxy = await startProxy({
    server: `https://127.0.0.1:${port}`,
    certificateAuthority: certificate,
    directory,
  });
});
afterAll(async () => {
  await proxy.close();
  upstream.close();
  upstream.closeAllConnections();
  await rm(directory, { recursive: true });
});

/** Status and body, or "broken" and what came until then. */
function ask(method: "GET" | "PATCH" | "PUT", path: string, milliseconds = 5000): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const asking = request(new URL(path, proxy.server), { method, rejectUnauthorized: false }, (response) => {
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.once("error", () => resolve(`broken ${text}`));
      response.once("end", () => resolve(`${response.statusCode} ${text}`));
    });
    asking.setTimeout(milliseconds, () => asking.destroy());
    asking.once("error", () => resolve("broken "));
    asking.end(method === "GET" ? undefined : "{}");
  });
}

const pod = "/api/v1/namespaces/a/pods/x";
const patch = (): Promise<string> => ask("PATCH", pod);

test("the write that was named, and no other, is lost before it arrives", async () => {
  proxy.watch("a", { write: 2, action: { do: "lose" } });
  const before = seen.length;
  expect([await patch(), await patch(), await patch()]).toEqual(["201 {}", "broken ", "201 {}"]);
  expect(seen.length - before).toBe(2);
  expect(proxy.isReached("a")).toBe(true);
  expect(proxy.arrivals("a").map(({ stored }) => stored)).toEqual([true, false, true]);
});

test("a lost answer is one to a write that was made", async () => {
  proxy.watch("a", { write: 1, action: { do: "lose the answer" } });
  const before = seen.length;
  expect(await patch()).toBe("broken ");
  expect(seen.length - before).toBe(1);
});

test("an error is answered as often as told, to writes of the same object", async () => {
  const action = { do: "answer", code: 429, reason: "TooManyRequests", retryAfterSeconds: 1 } as const;
  proxy.watch("a", { write: 1, action, times: 2 });
  expect(await patch()).toMatch(/^429 .*TooManyRequests/);
  expect(await ask("PATCH", "/api/v1/namespaces/a/pods/y")).toBe("201 {}");
  expect(await patch()).toMatch(/^429/);
  expect(await patch()).toBe("201 {}");
});

test("a write that is swallowed has no answer, and one that is held has it later", async () => {
  proxy.watch("a", { write: 1, action: { do: "swallow" } });
  expect(await ask("PATCH", pod, 300)).toBe("broken ");
  const held = Promise.withResolvers<void>();
  proxy.watch("a", { write: 1, action: { do: "hold the answer", until: held.promise } });
  const before = seen.length;
  const answer = patch();
  while (seen.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
  held.resolve();
  expect(await answer).toBe("201 {}");
});

test("after the end nothing of the namespace gets through until it is healed", async () => {
  proxy.watch("a", { write: 1, action: { do: "lose" }, isTheEnd: true });
  expect([await patch(), await patch()]).toEqual(["broken ", "broken "]);
  expect(await ask("PATCH", "/api/v1/namespaces/b/pods/x")).toBe("201 {}");
  proxy.heal();
  expect(await patch()).toBe("201 {}");
});

test("a rule is asked about leases, too", async () => {
  proxy.rule = ({ resource }) =>
    resource === "leases" ? { do: "answer", code: 500, reason: "InternalError" } : undefined;
  expect(await ask("PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/x")).toMatch(/^500/);
  expect(await patch()).toBe("201 {}");
  proxy.rule = undefined;
});

const numbers = (body: string): string =>
  [...body.matchAll(/"number":(\d)}}\n/g)].map(([, number]) => number).join("");

test.each<[Edit, string]>([
  ["pass", "123456"],
  ["drop", "12456"],
  ["twice", "1233456"],
  ["swap", "124356"],
  ["torn", "12"],
  ["gone", "12"],
  ["error", "12"],
  [{ seconds: 0.01 }, "123456"],
  [{ until: Promise.resolve(), isGone: true }, "12"],
])("a watch whose third event has %j shows %s", async (edit, shown) => {
  proxy.weather = ({ text }) => (text.includes('"number":3') ? edit : "pass");
  const body = await ask("GET", "/api/v1/pods?watch=true");
  expect(numbers(body)).toBe(shown);
  if (edit === "gone") expect(body).toContain('"code":410');
  if (edit === "torn") expect(body).toMatch(/"ADDED","o[^}]*$/);
});

test("a watch that is cut loses the event and what was on its way", async () => {
  proxy.weather = ({ text }) => (text.includes('"number":3') ? "cut" : "pass");
  expect("12").toContain(numbers(await ask("GET", "/api/v1/pods?watch=true")));
});

test("an event that is to change places with none comes after a while", async () => {
  proxy.weather = ({ text }) => (text.includes('"number":6') ? "swap" : "pass");
  expect(numbers(await ask("GET", "/api/v1/pods?watch=true"))).toBe("123456");
});
