import { existsSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { type Clock, sleep } from "./clock.ts";

/** TLS material of the connection. A change of any of it needs new connections. */
export interface TlsMaterial {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly rejectUnauthorized?: boolean;
  readonly servername?: string;
}

export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsMaterial;
}

export interface CredentialSource {
  /** Credentials no older than a few seconds. Concurrent callers share one read or one exec helper. */
  current(): Promise<Credentials>;
  /** The server refused `stale` (401): read everything again. */
  refuse(stale: Credentials): void;
}

const serviceAccountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/** Kept this long between reads of CA, certificate and token files. */
const FRESH_MILLISECONDS = 10_000;
/** A credential helper that asks a question on a terminal nobody watches would otherwise hang for ever. */
const HELPER_LIMIT_MILLISECONDS = 60_000;

/** `file`, else KUBECONFIG (a path list), else ~/.kube/config, else the pod's service account; `context` picks one by name. */
export function loadKubeConfig(context?: string, file?: string): KubeConfig {
  const config = new KubeConfig();
  if (file !== undefined) config.loadFromFile(file);
  else {
    assertKubeConfigExists();
    config.loadFromDefault();
  }
  if (context !== undefined) {
    if (config.getContextObject(context) === null) {
      const known = config.getContexts().map((each) => each.name);
      throw new Error(
        `kubeconfig has no context ${JSON.stringify(context)}; it has: ${known.join(", ") || "none"}`,
      );
    }
    config.setCurrentContext(context);
  }
  return config;
}

/** Without a kubeconfig client-node goes on with a server of its own choice, or ends in a bare ENOENT. */
function assertKubeConfigExists(): void {
  const named = (process.env.KUBECONFIG ?? "").split(delimiter).filter((path) => path !== "");
  const missing = named.find((path) => !existsSync(path));
  if (missing !== undefined)
    throw new Error(`KUBECONFIG names ${missing}, which does not exist: correct it, or unset KUBECONFIG`);
  const places = [join(homedir(), ".kube", "config"), serviceAccountToken];
  if (named.length === 0 && !places.some((path) => existsSync(path)))
    throw new Error(
      `no cluster to talk to: set KUBECONFIG, or run in a pod with a service account (looked for ${places.join(" and ")})`,
    );
}

/**
 * @param load reads the kubeconfig; called again when the server refuses a credential, because client-node
 * reads a user's `tokenFile` only while parsing and keeps an exec helper's token until it expires.
 */
export function createCredentialSource(load: () => KubeConfig, clock: Clock): CredentialSource {
  let config = load();
  let cached: { readonly credentials: Credentials; readonly readAt: number } | undefined;
  let reading: Promise<Credentials> | undefined;

  async function read(): Promise<Credentials> {
    const options: RequestOptions = {};
    const limit = new AbortController();
    try {
      await Promise.race([
        config.applyToHTTPSOptions(options),
        sleep(clock, HELPER_LIMIT_MILLISECONDS, limit.signal).then(() => {
          throw new Error(
            `no answer from the credential helper within ${HELPER_LIMIT_MILLISECONDS / 1000} s`,
          );
        }),
      ]);
    } catch (error) {
      const user = config.getCurrentUser()?.name ?? "(none)";
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(`could not read the credentials of user ${user}: ${message}`, { cause: error });
    } finally {
      limit.abort();
    }
    const credentials = { headers: headersOf(options), tls: tlsOf(options) };
    cached = { credentials, readAt: clock.monotonic() };
    return credentials;
  }

  return {
    current: async () => {
      if (cached !== undefined && clock.monotonic() - cached.readAt < FRESH_MILLISECONDS)
        return cached.credentials;
      reading ??= read().finally(() => {
        reading = undefined;
      });
      return reading;
    },
    refuse: (stale) => {
      if (cached?.credentials !== stale) return;
      cached = undefined;
      config = load();
    },
  };
}

function headersOf(options: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    // A token file may end in a newline, which is not allowed in a header.
    if (value !== undefined) headers[name] = String(value).trim();
  }
  if (typeof options.auth === "string") {
    headers.Authorization = `Basic ${Buffer.from(options.auth).toString("base64")}`;
  }
  return headers;
}

function tlsOf(options: RequestOptions): TlsMaterial {
  const { ca, cert, key, rejectUnauthorized, servername } = options;
  return {
    ...(isMaterial(ca) && { ca }),
    ...(isMaterial(cert) && { cert }),
    ...(isMaterial(key) && { key }),
    ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
    ...(servername !== undefined && { servername }),
  };
}

function isMaterial(value: unknown): value is string | Buffer {
  return typeof value === "string" || Buffer.isBuffer(value);
}
