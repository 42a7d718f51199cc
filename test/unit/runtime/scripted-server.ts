import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import type { Clock } from "../../../operator/runtime/clock.ts";
import { type Connection, createConnection } from "../../../operator/runtime/connection.ts";

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type Answer = (request: SeenRequest, response: ServerResponse, socket: Socket) => void;

export interface ScriptedServer {
  readonly connection: Connection;
  readonly seen: SeenRequest[];
  /** Sockets accepted so far. */
  sockets(): number;
  /** Answers from now on. */
  answer: Answer;
  close(): Promise<void>;
}

/** An HTTP server on loopback that answers as a test says, and a connection to it. */
export async function startScriptedServer(clock: Clock, answer: Answer): Promise<ScriptedServer> {
  let sockets = 0;
  const seen: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const url = new URL(request.url ?? "/", "http://loopback");
      const body = Buffer.concat(chunks).toString("utf8");
      const { method = "", headers } = request;
      const entry = { method, path: url.pathname, query: url.searchParams, headers, body };
      seen.push(entry);
      scripted.answer(entry, response, request.socket);
    });
  });
  server.on("connection", () => {
    sockets += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const load = () => {
    const config = new KubeConfig();
    config.loadFromClusterAndUser(
      { name: "scripted", server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
      { name: "tester", token: "secret-token" },
    );
    return config;
  };
  const connection = createConnection(load, clock);
  const scripted: ScriptedServer = {
    connection,
    seen,
    sockets: () => sockets,
    answer,
    close: async () => {
      await connection.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
  return scripted;
}

export function json(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

/** A `Status` as the API server answers errors. */
export function status(code: number, reason: string, message: string, details = {}): object {
  return { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message, details };
}
