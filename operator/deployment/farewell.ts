import { labels } from "../../charts/names.ts";
import { resources } from "../../charts/resources.ts";
import { isTerminating } from "./groups.ts";
import type { Pod } from "./objects.ts";
import type { Step } from "./steps.ts";
import { stopsNow } from "./stopping.ts";

/**
 * What is left to do for a deployment that is gone or going: the garbage collector gives every rank its whole grace, but
 * once rank 0 has finished, the others have nothing to wait for and would only hold their GPUs. It deletes ranks in any
 * order, so a rank 0 that isn't stopping yet is still to finish its requests.
 */
export function farewell(pods: readonly Pod[]): Step[] {
  const groups = Map.groupBy(pods, ({ metadata }) => metadata.labels?.[labels.group]);
  return [...groups.values()]
    .flatMap((ranks) => stopsNow(ranks, true))
    .filter(({ pod, graceSeconds }) => graceSeconds !== undefined && isTerminating(pod))
    .map(({ pod, graceSeconds = 0 }) => ({
      do: "delete",
      resource: resources.pods,
      name: pod.metadata.name,
      uid: pod.metadata.uid,
      graceSeconds,
      reason: "rank 0 has finished",
    }));
}
