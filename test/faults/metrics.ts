import { z } from "zod";
import type { RunningOperator } from "../e2e/operator.ts";

export interface Measured {
  /** Since its start. */
  readonly reconciles: number;
  readonly residentBytes: number;
  readonly openFiles: number;
  readonly heapBytes: number;
}

const started = z.object({ msg: z.literal("started"), port: z.int() });

/** Where an operator serves /readyz and /metrics. */
export async function addressOf(operator: RunningOperator): Promise<string> {
  const lines = (await operator.log()).split("\n");
  const line = lines.findLast((each) => each.includes('"msg":"started"'));
  return `http://127.0.0.1:${started.parse(JSON.parse(line ?? "{}")).port}`;
}

/** Some of what an operator says of itself. */
export async function metricsOf(operator: RunningOperator): Promise<Measured> {
  const text = await (await fetch(`${await addressOf(operator)}/metrics`)).text();
  const sum = (name: string): number =>
    text
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  return {
    reconciles: sum("controller_runtime_reconcile_total"),
    residentBytes: sum("process_resident_memory_bytes"),
    openFiles: sum("process_open_fds"),
    heapBytes: sum("nodejs_heap_size_used_bytes"),
  };
}
