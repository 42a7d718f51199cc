/** What a running operator says of itself. */
import type { TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import type { RunningOperator } from "./operator.ts";

/** Of the operator's metrics, the lines that match. */
export async function metricsOf(operator: RunningOperator, pattern: RegExp): Promise<string[]> {
  const port = /"port":(\d+),"msg":"started"/.exec(await operator.log())?.[1];
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return text.split("\n").filter((line) => pattern.test(line));
}

async function reconciles(operator: RunningOperator): Promise<number> {
  const lines = await metricsOf(operator, /^controller_runtime_reconcile_total/);
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** Waits until an operator that looks at every deployment each second has done so. */
export async function reconcileTimes(
  times: number,
  cluster: TestCluster,
  operator: RunningOperator,
): Promise<void> {
  const before = await reconciles(operator);
  const names = await cluster.list("/apis/mimo.dev/v1alpha1/mimodeployments");
  await eventually(`${times} reconciles of each deployment`, async () =>
    (await reconciles(operator)) >= before + times * names.length ? true : undefined,
  );
}
