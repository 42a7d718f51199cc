import { metricsText, metricTotal, reconcileTotal } from "../e2e/metrics.ts";
import type { RunningOperator } from "../e2e/operator.ts";

export interface Measured {
  /** Since its start. */
  readonly reconciles: number;
  readonly residentBytes: number;
  readonly openFiles: number;
  readonly heapBytes: number;
}

/** Some of what an operator says of itself. */
export async function metricsOf(operator: RunningOperator): Promise<Measured> {
  const text = await metricsText(operator);
  return {
    reconciles: reconcileTotal(text),
    residentBytes: metricTotal(text, "process_resident_memory_bytes"),
    openFiles: metricTotal(text, "process_open_fds"),
    heapBytes: metricTotal(text, "nodejs_heap_size_used_bytes"),
  };
}
