import type { KubeConfig } from "@kubernetes/client-node";
import { Agent, type Dispatcher, ProxyAgent } from "undici";
import type { Clock } from "./clock.ts";
import { createCredentialSource, type TlsMaterial } from "./credentials.ts";

/**
 * Three pools, so that a slow list never holds up a lease renewal and a long watch never takes a slot
 * from a request.
 */
export type PoolName = "requests" | "watches" | "lease";

export interface WireRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path with query, relative to the server's URL. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

export type WireResponse = Pick<Dispatcher.ResponseData, "statusCode" | "headers" | "body">;

export interface Connection {
  /** The API server's URL, for messages and metrics. */
  readonly server: URL;
  /** The namespace of the kubeconfig's context or of the pod. */
  readonly namespace: string | undefined;
  send(pool: PoolName, request: WireRequest): Promise<WireResponse>;
  /** Closes every socket at once; what is in flight fails. */
  close(): Promise<void>;
}

type Pools = Readonly<Record<PoolName, Dispatcher>>;

const KEEP_ALIVE_MILLISECONDS = 30_000;

/** Limits per pool; timeouts in milliseconds, 0 = none (the caller's deadline alone counts). */
const LIMITS: Readonly<Record<PoolName, Agent.Options>> = {
  requests: { connections: 8, headersTimeout: 15_000, bodyTimeout: 30_000 },
  // The reflector's inactivity limit watches over these; one socket per watch.
  watches: { headersTimeout: 30_000, bodyTimeout: 0 },
  lease: { connections: 1, headersTimeout: 5_000, bodyTimeout: 5_000 },
};

/** One keep-alive connection pool per purpose, rebuilt only when CA, certificate or key change. */
export function createConnection(load: () => KubeConfig, clock: Clock): Connection {
  const config = load();
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new Error(
      `the kubeconfig's current context ${JSON.stringify(config.getCurrentContext())} names no cluster; set KUBECONFIG, or run inside a pod with a service account`,
    );
  }
  const server = new URL(cluster.server);
  const basePath = server.pathname.replace(/\/$/, "");
  const credentialSource = createCredentialSource(load, clock);
  let built: { tls: TlsMaterial; readonly fingerprint: string; readonly pools: Pools } | undefined;
  const retired = new Set<Dispatcher>();

  function poolsFor(tls: TlsMaterial): Pools {
    if (built?.tls === tls) return built.pools;
    const fingerprint = fingerprintOf(tls);
    if (built?.fingerprint === fingerprint) {
      built.tls = tls;
      return built.pools;
    }
    if (built !== undefined) retire(built.pools);
    built = { tls, fingerprint, pools: buildPools(tls, cluster?.proxyUrl) };
    return built.pools;
  }

  // A graceful close: running requests and watches end by themselves, idle sockets go now.
  function retire(pools: Pools): void {
    for (const dispatcher of Object.values(pools)) {
      retired.add(dispatcher);
      const forget = () => retired.delete(dispatcher);
      dispatcher.close().then(forget, forget);
    }
  }

  async function attempt(pool: PoolName, request: WireRequest) {
    const credentials = await credentialSource.current();
    const response = await poolsFor(credentials.tls)[pool].request({
      origin: server.origin,
      path: `${basePath}${request.path}`,
      method: request.method,
      headers: { ...request.headers, ...credentials.headers },
      body: request.body ?? null,
      signal: request.signal,
    });
    return { credentials, response };
  }

  return {
    server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    send: async (pool, request) => {
      const first = await attempt(pool, request);
      if (first.response.statusCode !== 401) return first.response;
      // An unauthenticated request was not acted on, so any verb may be sent again.
      await first.response.body.dump();
      credentialSource.refuse(first.credentials);
      return (await attempt(pool, request)).response;
    },
    close: async () => {
      const dispatchers = [...retired, ...(built === undefined ? [] : Object.values(built.pools))];
      await Promise.all(dispatchers.map((dispatcher) => dispatcher.destroy()));
    },
  };
}

function buildPools(tls: TlsMaterial, proxyUrl: string | undefined): Pools {
  return {
    requests: buildPool(LIMITS.requests, tls, proxyUrl),
    watches: buildPool(LIMITS.watches, tls, proxyUrl),
    lease: buildPool(LIMITS.lease, tls, proxyUrl),
  };
}

function buildPool(limits: Agent.Options, tls: TlsMaterial, proxyUrl: string | undefined): Dispatcher {
  const options: Agent.Options = {
    ...limits,
    // HTTP/2 has no acknowledgement timeout for pings here: a black-holed connection would go unnoticed.
    allowH2: false,
    connectTimeout: 10_000,
    keepAliveTimeout: KEEP_ALIVE_MILLISECONDS,
    keepAliveMaxTimeout: KEEP_ALIVE_MILLISECONDS,
  };
  const connect = { ...tls, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MILLISECONDS };
  if (proxyUrl === undefined) return new Agent({ ...options, connect });
  if (!/^https?:/.test(proxyUrl)) {
    throw new Error(
      `proxy-url ${proxyUrl} of the kubeconfig's cluster: only http and https proxies are supported`,
    );
  }
  return new ProxyAgent({ ...options, uri: proxyUrl, requestTls: connect });
}

function fingerprintOf(tls: TlsMaterial): string {
  return JSON.stringify([
    tls.ca?.toString("latin1"),
    tls.cert?.toString("latin1"),
    tls.key?.toString("latin1"),
    tls.rejectUnauthorized,
    tls.servername,
  ]);
}
