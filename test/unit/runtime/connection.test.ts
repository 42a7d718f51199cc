import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Connection, createConnection } from "../../../operator/runtime/connection.ts";
import { createFakeClock } from "./fake-clock.ts";
import { selfSigned } from "./self-signed.ts";

let directory: string;
let server: Server;
let connection: Connection | undefined;
let sockets: number;
let authorizations: (string | undefined)[];
let statusCode: () => number;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "mimo-connection-"));
  sockets = 0;
  authorizations = [];
  statusCode = () => 200;
  const first = selfSigned("first");
  writeFileSync(join(directory, "ca.crt"), first.certificate);
  server = createServer({ cert: first.certificate, key: first.key }, (request, response) => {
    authorizations.push(request.headers.authorization);
    response.writeHead(statusCode());
    if (request.url === "/watch") response.flushHeaders();
    else response.end("{}");
  });
  server.on("secureConnection", () => {
    sockets += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  await connection?.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

function load(user: object): KubeConfig {
  const { port } = server.address() as AddressInfo;
  const config = new KubeConfig();
  const cluster = { name: "test", server: `https://127.0.0.1:${port}`, caFile: join(directory, "ca.crt") };
  config.loadFromClusterAndUser({ ...cluster, skipTLSVerify: false }, { name: "tester", ...user });
  return config;
}

async function get(path = "/", pool: "requests" | "watches" | "lease" = "requests") {
  if (connection === undefined) throw new Error("not connected");
  const { signal } = new AbortController();
  const response = await connection.send(pool, { method: "GET", path, headers: {}, signal });
  if (path !== "/watch") await response.body.dump();
  return response;
}

test("requests share at most eight TLS connections, kept open; each watch and the lease have their own", async () => {
  connection = createConnection(() => load({ token: "t" }), createFakeClock());
  for (let i = 0; i < 200; i += 1) await get();
  // A second socket opens when the first is not free again within the turn that ended its answer.
  expect(sockets).toBeLessThanOrEqual(2);
  await Promise.all(Array.from({ length: 200 }, () => get()));
  expect(sockets).toBe(8);
  await Promise.all(Array.from({ length: 5 }, () => get("/watch", "watches")));
  await get("/", "lease");
  await get("/", "lease");
  expect(sockets).toBe(8 + 5 + 1);
});

test("a rotated CA and server certificate are picked up from the files, once, while open watches live on", async () => {
  const clock = createFakeClock();
  connection = createConnection(() => load({ token: "t" }), clock);
  const watch = await get("/watch", "watches");
  let watchEnded = false;
  watch.body.on("close", () => {
    watchEnded = true;
  });
  const second = selfSigned("second");
  server.setSecureContext({ cert: second.certificate, key: second.key });
  writeFileSync(join(directory, "ca.crt"), second.certificate);
  await clock.advance(10_000);
  for (let i = 0; i < 20; i += 1) await get();
  expect(sockets).toBeLessThanOrEqual(1 + 2);
  expect(watchEnded).toBe(false);
  watch.body.destroy();
});

test("a server whose certificate the CA did not sign is refused", async () => {
  writeFileSync(join(directory, "ca.crt"), selfSigned("other").certificate);
  connection = createConnection(() => load({ token: "t" }), createFakeClock());
  await expect(get()).rejects.toThrow(/certificate/);
});

describe("credentials", () => {
  test("a token file with a newline at its end works, and its renewal is picked up when the server refuses the old one", async () => {
    const tokenFile = join(directory, "token");
    writeFileSync(tokenFile, "one\n");
    const user = { authProvider: { name: "tokenFile", config: { tokenFile } } };
    connection = createConnection(() => load(user), createFakeClock());
    await get();
    writeFileSync(tokenFile, "two\n");
    statusCode = () => (authorizations.at(-1) === "Bearer two" ? 200 : 401);
    expect((await get()).statusCode).toBe(200);
    expect(authorizations).toEqual(["Bearer one", "Bearer one", "Bearer two"]);
  });

  test("many requests at once ask a credential helper once; a helper that fails is named with what it said", async () => {
    const helper = join(directory, "helper.sh");
    const runs = join(directory, "runs");
    const credential = '{"kind":"ExecCredential","status":{"token":"helped"}}';
    writeFileSync(helper, `#!/bin/sh\necho run >> ${runs}\necho '${credential}'\n`);
    chmodSync(helper, 0o755);
    const user = { exec: { apiVersion: "client.authentication.k8s.io/v1", command: helper, args: [] } };
    connection = createConnection(() => load(user), createFakeClock());
    await Promise.all(Array.from({ length: 10 }, () => get()));
    expect(new Set(authorizations)).toEqual(new Set(["Bearer helped"]));
    await connection.close();

    writeFileSync(helper, "#!/bin/sh\necho 'log in first' >&2\nexit 1\n");
    connection = createConnection(() => load(user), createFakeClock());
    await expect(get()).rejects.toThrow(/credentials of user tester: log in first/);
  });
});
