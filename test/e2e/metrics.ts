/** What a running operator says of itself. */
import { z } from "zod";
import type { TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import type { RunningOperator } from "./operator.ts";

const started = z.object({ msg: z.literal("started"), port: z.int() });

/** Where an operator serves /readyz and /metrics. */
export async function addressOf(operator: RunningOperator): Promise<string> {
  const lines = (await operator.log()).split("\n");
  const line = lines.findLast((each) => each.includes('"msg":"started"'));
  return `http://127.0.0.1:${started.parse(JSON.parse(line ?? "{}")).port}`;
}

/** Its metrics, in Prometheus' text format. */
export async function metricsText(operator: RunningOperator): Promise<string> {
  return await (await fetch(`${await addressOf(operator)}/metrics`)).text();
}

/** Of the operator's metrics, the lines that match. */
export const metricLines = async (operator: RunningOperator, pattern: RegExp): Promise<string[]> =>
  (await metricsText(operator)).split("\n").filter((line) => pattern.test(line));

/** Sum of a metric's samples in Prometheus' text format, of those with the label value where one is given; 0 without any. */
export function metricTotal(
  text: string,
  metric: string,
  [label, value]: [string, string] | [] = [],
): number {
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `))
    .filter((line) => label === undefined || line.includes(`${label}="${value}"`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

/** Of all deployments, since it started. */
export const reconcileTotal = (text: string): number =>
  metricTotal(text, "controller_runtime_reconcile_total");

/** Waits until an operator that looks at every deployment each second has done so. */
export async function reconcileTimes(
  times: number,
  cluster: TestCluster,
  operator: RunningOperator,
): Promise<void> {
  const before = reconcileTotal(await metricsText(operator));
  const names = await cluster.list("/apis/mimo.dev/v1alpha1/mimodeployments");
  await eventually(`${times} reconciles of each deployment`, async () =>
    reconcileTotal(await metricsText(operator)) >= before + times * names.length ? true : undefined,
  );
}
