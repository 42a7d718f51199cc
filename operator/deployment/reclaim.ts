import { groupName, labels } from "../../charts/names.ts";
import { resources } from "../../charts/resources.ts";
import type { Client } from "../runtime/client-api.ts";
import { isNotFound } from "../runtime/errors.ts";
import { isOurs, remark } from "./children.ts";
import { isTerminating } from "./groups.ts";
import { childView } from "./objects.ts";
import type { Observed } from "./observed.ts";
import type { Step } from "./steps.ts";

/**
 * A StatefulSet whose label somebody changed leaves the cache as if it were deleted, with its ranks still running. A group
 * made in its place would hold as many GPUs again: it gets its labels back instead.
 */
export async function reclaims(
  { name, namespace, owner, strays }: Observed,
  client: Client,
  signal: AbortSignal,
): Promise<Step[]> {
  const ids = new Set(
    strays
      .filter((pod) => !isTerminating(pod))
      .map(({ metadata }) => Number(metadata.labels?.[labels.group])),
  );
  const steps = [...ids].filter(Number.isInteger).map(async (id): Promise<Step[]> => {
    const ref = { namespace, name: groupName(name, id) };
    try {
      const live = childView.parse(await client.get(resources.statefulSets, ref, { signal }));
      const own = { [labels.deployment]: name, [labels.group]: String(id) };
      const isLabelled = Object.entries(own).every(([key, value]) => live.metadata.labels?.[key] === value);
      if (isLabelled || !isOurs(live, owner) || live.metadata.deletionTimestamp !== undefined) return [];
      return [remark(live, { labels: own }, "lost the labels by which it is found")];
    } catch (error) {
      if (isNotFound(error)) return [];
      throw error;
    }
  });
  return (await Promise.all(steps)).flat();
}
