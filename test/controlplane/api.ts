/** Requests to a control plane's API server as its administrator: the little that booting and feeding it needs. */
import { request as httpsRequest } from "node:https";

/** Where an API server is and how to be its administrator. */
export interface ApiAccess {
  /** `https://127.0.0.1:<port>` */
  readonly server: string;
  /** PEM */
  readonly certificateAuthority: string;
  readonly adminToken: string;
}

export interface ApiRequest {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly text?: string;
  /** For a PATCH; otherwise `application/json`. */
  readonly contentType?: string;
}

export interface ApiResponse {
  readonly status: number;
  readonly body: string;
}

const REQUEST_TIMEOUT_MILLISECONDS = 30_000;

/** One request, whatever its status. @throws Error when no answer comes. */
export function askApi(access: ApiAccess, path: string, options: ApiRequest = {}): Promise<ApiResponse> {
  const { method = "GET", contentType = "application/json" } = options;
  const body = options.text ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  return new Promise((resolve, reject) => {
    const request = httpsRequest(new URL(path, access.server), {
      method,
      ca: access.certificateAuthority,
      timeout: REQUEST_TIMEOUT_MILLISECONDS,
      headers: {
        authorization: `Bearer ${access.adminToken}`,
        accept: "application/json",
        // Node leaves the length out of a DELETE, and the server would take the body for the next request.
        ...(body === undefined
          ? {}
          : { "content-type": contentType, "content-length": Buffer.byteLength(body) }),
      },
    });
    request.once("timeout", () => request.destroy(new Error(`${method} ${path}: no answer in 30 s`)));
    request.once("error", reject);
    request.once("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.once("error", reject);
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    request.end(body);
  });
}

/** The JSON answer to a request that has to succeed. @throws Error with the API server's own words otherwise. */
export async function callApi(access: ApiAccess, path: string, options: ApiRequest = {}): Promise<unknown> {
  const { status, body } = await askApi(access, path, options);
  if (status < 200 || status > 299) {
    throw new Error(`${options.method ?? "GET"} ${access.server}${path} answered ${status}: ${body}`);
  }
  return JSON.parse(body);
}
