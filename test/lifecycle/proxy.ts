/** Stands between the operator and the API server, numbers the writes of each namespace, and cuts the wire at one of them. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, createServer, request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { ControlPlane } from "../controlplane/boot.ts";

/** Where the wire breaks: the write never arrives, or it is stored and its answer is lost. */
export const sides = ["before", "after"] as const;
export type Side = (typeof sides)[number];

/** From this write on nothing of a namespace gets through until `heal`: for the cluster the operator died here. */
export interface Cut {
  /** Counted from 1 since `watch`. */
  readonly write: number;
  readonly side: Side;
}

export interface WriteProxy {
  /** `https://127.0.0.1:<port>`, for a kubeconfig; with the API server's own certificate. */
  readonly server: string;
  /** Counts the namespace's writes from 1 again, and cuts where told. */
  watch(namespace: string, cut?: Cut): void;
  /** Writes of the namespace since `watch`, as "PATCH pods/pro-0-1"; refused ones too, lost ones not. */
  stored(namespace: string): readonly string[];
  /** Whether the write that was to be cut has come. */
  isReached(namespace: string): boolean;
  /** Lets everything through again. */
  heal(): void;
  close(): Promise<void>;
}

interface Line {
  cut: Cut | undefined;
  arrived: number;
  reached: boolean;
  stored: string[];
  /** One write at a time: the one before has been answered when this resolves. */
  previous: Promise<void>;
}

/** Leases and Events don't count: no state of a deployment is in them. */
const uncounted = new Set(["events", "leases"]);

export async function startWriteProxy(upstream: ControlPlane): Promise<WriteProxy> {
  const agent = new Agent({ keepAlive: true, ca: upstream.certificateAuthority });
  const lines = new Map<string, Line>();
  const lineOf = (namespace: string): Line => {
    const line = lines.get(namespace) ?? {
      cut: undefined,
      arrived: 0,
      reached: false,
      stored: [],
      previous: Promise.resolve(),
    };
    lines.set(namespace, line);
    return line;
  };

  /** Sends a request on; resolves when its answer is complete, or its sender or the API server is gone. */
  function forward(incoming: IncomingMessage, outgoing: ServerResponse, answers: boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const headers = { ...incoming.headers, host: new URL(upstream.server).host };
    const url = new URL(incoming.url ?? "/", upstream.server);
    const request = httpsRequest(url, { method: incoming.method, headers, agent });
    const lose = (): void => {
      request.destroy();
      outgoing.destroy();
      resolve();
    };
    outgoing.once("close", lose);
    request.once("error", lose);
    request.once("response", (response) => {
      response.once("close", resolve);
      if (answers) {
        outgoing.writeHead(response.statusCode ?? 502, response.rawHeaders);
        // Headers of a watch come before its first event.
        outgoing.flushHeaders();
        response.pipe(outgoing);
      } else {
        response.resume();
        response.once("end", lose);
      }
    });
    incoming.pipe(request);
    return promise;
  }

  async function write(
    line: Line,
    what: string,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
  ): Promise<void> {
    if (outgoing.destroyed) return;
    line.arrived += 1;
    const { cut } = line;
    const isTheOne = line.arrived === cut?.write;
    const isLater = cut !== undefined && line.arrived > cut.write;
    if (isLater || (isTheOne && cut.side === "before")) outgoing.destroy();
    else {
      await forward(incoming, outgoing, !isTheOne);
      line.stored.push(what);
    }
    if (isTheOne) line.reached = true;
  }

  const [key, cert] = await Promise.all(
    ["key", "crt"].map((end) => readFile(join(upstream.directory, "certificates", `apiserver.${end}`))),
  );
  const server = createServer({ key, cert }, (incoming, outgoing) => {
    const target = writeTarget(incoming);
    if (target === undefined) {
      void forward(incoming, outgoing, true);
      return;
    }
    const line = lineOf(target.namespace);
    line.previous = line.previous.then(() => write(line, target.what, incoming, outgoing));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    server: `https://127.0.0.1:${portOf(server.address())}`,
    watch: (namespace, cut) => {
      Object.assign(lineOf(namespace), { cut, arrived: 0, reached: false, stored: [] });
    },
    stored: (namespace) => lineOf(namespace).stored,
    isReached: (namespace) => lineOf(namespace).reached,
    heal: () => {
      for (const line of lines.values()) line.cut = undefined;
    },
    close: async () => {
      agent.destroy();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function writeTarget({
  method = "GET",
  url = "",
}: IncomingMessage): { namespace: string; what: string } | undefined {
  const parts = /\/namespaces\/([^/?]+)\/([^/?]+)([^?]*)/.exec(url);
  const [, namespace, resource = "", rest = ""] = parts ?? [];
  if (method === "GET" || namespace === undefined || uncounted.has(resource)) return undefined;
  return { namespace, what: `${method} ${resource}${rest}` };
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("the proxy listens on no port");
  return address.port;
}
