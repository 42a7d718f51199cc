import { labels } from "../../charts/names.ts";
import { resources } from "../../charts/resources.ts";
import { deadPods } from "./group-steps.ts";
import { isTerminating } from "./groups.ts";
import type { NodeWatch } from "./loss.ts";
import type { Pod } from "./objects.ts";
import { releaseSteps } from "./queueing.ts";
import { nameOf, type Step } from "./steps.ts";
import { stopsNow } from "./stopping.ts";

/**
 * What is left to do for a deployment that is gone or going: the garbage collector gives every rank its whole grace, but
 * once rank 0 has finished, the others have nothing to wait for and would only hold their GPUs. It deletes ranks in any
 * order, so a rank 0 that isn't stopping yet is still to finish its requests. What is on a lost node goes by force.
 */
export function farewell(pods: readonly Pod[], watch: NodeWatch): Step[] {
  const forced = deadPods(pods, watch);
  const groups = Map.groupBy(pods, ({ metadata }) => metadata.labels?.[labels.group]);
  const shortened = [...groups.values()]
    .flatMap((ranks) => stopsNow(ranks, true))
    .filter(({ pod, graceSeconds }) => graceSeconds !== undefined && isTerminating(pod))
    .filter(({ pod }) => !forced.some((step) => nameOf(step) === pod.metadata.name))
    .map(
      ({ pod, graceSeconds = 0 }): Step => ({
        do: "delete",
        resource: resources.pods,
        name: pod.metadata.name,
        uid: pod.metadata.uid,
        graceSeconds,
        reason: "rank 0 has finished",
      }),
    );
  return [...forced, ...shortened, ...releaseSteps(pods, [], new Set())];
}
