/** The part of the kubelet's own API that is behind `kubectl logs`. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:https";
import { join } from "node:path";
import type { ControlPlane } from "../controlplane/boot.ts";

export interface LogServer {
  readonly port: number;
  stop(): void;
}

/** @param find the log of a pod's container; undefined for a pod that can't be reached */
export async function serveLogs(
  { directory }: ControlPlane,
  find: (namespace: string, pod: string) => string | undefined,
): Promise<LogServer> {
  // The API server's own certificate: it doesn't ask a kubelet who it is.
  const cert = await readFile(join(directory, "certificates", "apiserver.crt"));
  const key = await readFile(join(directory, "certificates", "apiserver.key"));
  const server = createServer({ cert, key }, (request, response) => {
    const url = new URL(request.url ?? "", "https://kubelet");
    const [, verb, namespace = "", pod = ""] = url.pathname.split("/");
    const log = verb === "containerLogs" ? find(namespace, pod) : undefined;
    if (log === undefined) {
      response.writeHead(404).end();
      return;
    }
    const tail = Number(url.searchParams.get("tailLines") ?? Number.POSITIVE_INFINITY);
    response.end(
      log
        .split("\n")
        .slice(-tail - 1)
        .join("\n"),
    );
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the log server has no port");
  return {
    port: address.port,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
