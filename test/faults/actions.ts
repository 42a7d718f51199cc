/** What can become of a request on its way to the API server. */

/** A request, as far as a rule looks at it. */
export interface Asked {
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  /** Empty for what has none. */
  readonly namespace: string;
  readonly resource: string;
  readonly watches: boolean;
}

export type Action =
  /** It never arrives, and its connection ends. */
  | { readonly do: "lose" }
  /** It is done, and its connection ends before the answer. */
  | { readonly do: "lose the answer" }
  /** It never arrives and nobody says so: only the sender's own patience ends it. */
  | { readonly do: "swallow" }
  /** The API server itself is never asked. */
  | {
      readonly do: "answer";
      readonly code: number;
      readonly reason?: string;
      readonly retryAfterSeconds?: number;
    }
  | { readonly do: "delay"; readonly seconds: number }
  /** Something else comes first. */
  | { readonly do: "meddle"; readonly first: (asked: Asked) => Promise<unknown> }
  /** It is done, but its answer waits for something. */
  | { readonly do: "hold the answer"; readonly until: Promise<unknown> };

/** The body of an error, as the API server writes it. */
export const errorBody = ({ code, reason = "" }: { code: number; reason?: string }): string =>
  JSON.stringify({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: `${code} by the proxy of a test`,
    reason,
    code,
  });

/** Of a request line; undefined where there is no resource in it. */
export function askedOf(method: string, url: string): Asked {
  const { pathname, searchParams } = new URL(url, "https://localhost");
  const [, namespace = "", namespaced] = /\/namespaces\/([^/]+)\/([^/]+)/.exec(pathname) ?? [];
  const [, cluster = ""] = /^(?:\/api\/[^/]+|\/apis\/[^/]+\/[^/]+)\/([^/]+)/.exec(pathname) ?? [];
  return {
    method,
    path: pathname,
    namespace: namespaced === undefined ? "" : namespace,
    resource: namespaced ?? cluster,
    watches: searchParams.get("watch") === "true",
  };
}
