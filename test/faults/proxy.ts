/** Stands between an operator and the API server, numbers the writes of each namespace, and does to them what a test asks. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, createServer, request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { ControlPlane } from "../controlplane/boot.ts";
import { type Action, type Asked, askedOf, errorBody } from "./actions.ts";
import { editStream, type Weather } from "./watch-edits.ts";

/** What becomes of one write of a namespace. */
export interface Fault {
  /** Counted from 1 since `watch`. */
  readonly write: number;
  readonly action: Action;
  /** How often in a row, for the same object: the operator tries again. Default 1. */
  readonly times?: number;
  /** From then on nothing of the namespace gets through until `heal`: for the cluster the operator died here. */
  readonly isTheEnd?: boolean;
}

/** A write that reached the proxy. */
export interface Arrival {
  readonly namespace: string;
  /** "PATCH pods/pro-0-1" */
  readonly what: string;
  /** `performance.now()` */
  readonly at: number;
  /** HTTP status; undefined while there is none, and for one that was lost. */
  code: number | undefined;
  /** Whether the API server has answered it. */
  stored: boolean;
}

export interface FaultProxy {
  /** `https://127.0.0.1:<port>`, for a kubeconfig; with the API server's own certificate. */
  readonly server: string;
  /** Counts the namespace's writes from 1 again, and has the fault befall one of them. */
  watch(namespace: string, fault?: Fault): void;
  /** Writes of the namespace since `watch`, refused and lost ones too. */
  arrivals(namespace: string): readonly Arrival[];
  /** Writes to any namespace since the start. */
  readonly all: readonly Arrival[];
  /** Whether the write that was to be hit has come. */
  isReached(namespace: string): boolean;
  /** Lets every namespace through again. */
  heal(): void;
  /** Asked about every request that no fault is for, writes and reads, leases and Events too. */
  rule: ((asked: Asked) => Action | undefined) | undefined;
  /** What happens to the lines of watches. */
  weather: Weather | undefined;
  /** Where reads go instead: a second API server on the same etcd. */
  readsFrom: string | undefined;
  close(): Promise<void>;
}

interface Line {
  fault: Fault | undefined;
  /** The write that was hit, while its object is to be hit again. */
  hit: { readonly what: string; left: number } | undefined;
  reached: boolean;
  arrivals: Arrival[];
  /** One write at a time: the one before has been answered when this resolves. */
  previous: Promise<void>;
}

const newLine = (): Line => ({
  fault: undefined,
  hit: undefined,
  reached: false,
  arrivals: [],
  previous: Promise.resolve(),
});

/** Leases and Events don't count: no state of a deployment is in them. */
const uncounted = new Set(["events", "leases"]);

export async function startProxy(
  upstream: Pick<ControlPlane, "server" | "certificateAuthority" | "directory">,
): Promise<FaultProxy> {
  const agent = new Agent({ keepAlive: true, ca: upstream.certificateAuthority });
  const lines = new Map<string, Line>();
  const all: Arrival[] = [];
  const lineOf = (namespace: string): Line => {
    const line = lines.get(namespace) ?? newLine();
    lines.set(namespace, line);
    return line;
  };

  /** Sends a request on; resolves with the status when its answer is complete, with undefined when a side is gone. */
  function forward(
    asked: Asked,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    answers: boolean | Promise<unknown>,
  ): Promise<number | undefined> {
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    // A lease is read only to be written.
    const reads = asked.method === "GET" && asked.resource !== "leases";
    const base = (reads ? proxy.readsFrom : undefined) ?? upstream.server;
    const headers = { ...incoming.headers, host: new URL(base).host };
    const url = new URL(incoming.url ?? "/", base);
    const request = httpsRequest(url, { method: incoming.method, headers, agent });
    let status: number | undefined;
    const lose = (): void => {
      request.destroy();
      outgoing.destroy();
      resolve(status);
    };
    outgoing.once("close", lose);
    request.once("error", lose);
    request.once("response", async (response) => {
      status = response.statusCode;
      response.once("close", () => resolve(status));
      if (answers === false) {
        response.resume();
        response.once("end", lose);
        return;
      }
      await answers;
      outgoing.writeHead(status ?? 502, response.rawHeaders);
      // Headers of a watch come before its first event.
      outgoing.flushHeaders();
      if (asked.watches && proxy.weather !== undefined && status === 200)
        await pipeline(
          editStream(response, asked.resource, () => proxy.weather),
          outgoing,
        ).catch(lose);
      else response.pipe(outgoing);
    });
    incoming.pipe(request);
    return promise;
  }

  /** @returns the status of the API server's answer, if it was asked and answered */
  async function perform(
    action: Action | undefined,
    asked: Asked,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
  ): Promise<number | undefined> {
    switch (action?.do) {
      case undefined:
        return forward(asked, incoming, outgoing, true);
      case "lose":
        outgoing.destroy();
        return undefined;
      case "lose the answer":
        return forward(asked, incoming, outgoing, false);
      case "hold the answer":
        return forward(asked, incoming, outgoing, action.until);
      case "swallow":
        incoming.resume();
        if (!outgoing.destroyed) await once(outgoing, "close");
        return undefined;
      case "delay":
        await delay(action.seconds * 1000);
        return outgoing.destroyed ? undefined : forward(asked, incoming, outgoing, true);
      case "meddle":
        await action.first(asked);
        return forward(asked, incoming, outgoing, true);
      case "answer": {
        incoming.resume();
        const { retryAfterSeconds } = action;
        outgoing.writeHead(action.code, {
          "content-type": "application/json",
          ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }),
        });
        outgoing.end(errorBody(action));
        return undefined;
      }
    }
  }

  /** The fault for the write that has just been added to the line. */
  function faultOf(line: Line, what: string): Action | undefined {
    const { fault } = line;
    if (fault === undefined) return undefined;
    const number = line.arrivals.length;
    if (number === fault.write) line.hit = { what, left: fault.times ?? 1 };
    else if (number > fault.write && fault.isTheEnd === true) return { do: "lose" };
    if (line.hit?.what !== what || line.hit.left === 0) return undefined;
    line.hit.left -= 1;
    return fault.action;
  }

  async function write(
    asked: Asked,
    line: Line,
    arrival: Arrival,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
  ): Promise<void> {
    if (outgoing.destroyed) return;
    line.arrivals.push(arrival);
    all.push(arrival);
    const action = faultOf(line, arrival.what);
    arrival.code = await perform(action ?? proxy.rule?.(asked), asked, incoming, outgoing);
    arrival.stored = arrival.code !== undefined;
    if (action?.do === "answer") arrival.code = action.code;
    if (line.fault !== undefined && line.arrivals.length >= line.fault.write) line.reached = true;
  }

  const [key, cert] = await Promise.all(
    ["key", "crt"].map((end) => readFile(join(upstream.directory, "certificates", `apiserver.${end}`))),
  );
  const server = createServer({ key, cert }, (incoming, outgoing) => {
    const asked = askedOf(incoming.method ?? "GET", incoming.url ?? "/");
    const { method, namespace, resource, path } = asked;
    if (method === "GET" || namespace === "" || uncounted.has(resource)) {
      void perform(proxy.rule?.(asked), asked, incoming, outgoing);
      return;
    }
    const what = `${method} ${path.slice(path.indexOf(resource, path.indexOf(namespace)))}`;
    const line = lineOf(namespace);
    line.previous = line.previous.then(() => {
      const arrival = { namespace, what, at: performance.now(), code: undefined, stored: false };
      return write(asked, line, arrival, incoming, outgoing);
    });
  });
  // Longer than the operator keeps an idle connection: else both may end one at the same moment.
  server.keepAliveTimeout = 120_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const proxy: FaultProxy = {
    server: `https://127.0.0.1:${portOf(server.address())}`,
    watch: (namespace, fault) => {
      Object.assign(lineOf(namespace), { fault, hit: undefined, reached: false, arrivals: [] });
    },
    arrivals: (namespace) => lineOf(namespace).arrivals,
    all,
    isReached: (namespace) => lineOf(namespace).reached,
    heal: () => {
      for (const line of lines.values()) line.fault = undefined;
    },
    rule: undefined,
    weather: undefined,
    readsFrom: undefined,
    close: async () => {
      agent.destroy();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return proxy;
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("the proxy listens on no port");
  return address.port;
}
