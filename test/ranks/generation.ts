import { request } from "node:http";
import type { PodWorker } from "./pod-worker.ts";

export interface Generation {
  /** Of the answer; rejects when there is none. */
  readonly status: Promise<number | undefined>;
  /** The last token: now the server can answer. */
  finish(): void;
}

/** A request that rank 0 works on until it is told otherwise. */
export function generate({ address }: PodWorker): Generation {
  const sent = request(`http://${address}:30000/generate`, { method: "POST", agent: false });
  sent.write("one token, ");
  const status = new Promise<number | undefined>((resolve, reject) => {
    sent.once("response", ({ statusCode }) => resolve(statusCode)).once("error", reject);
  });
  // Whoever awaits the status gets the rejection.
  status.catch(() => undefined);
  return { status, finish: () => void sent.end("and the last") };
}
