import type { OwnerReference } from "../../charts/kubernetes.ts";
import { podGroup } from "../../charts/render.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import { deletion, find, isOurs, keep } from "./children.ts";
import type { Child } from "./objects.ts";
import { missingQueue } from "./queueing.ts";
import { differences } from "./settled.ts";
import type { Step } from "./steps.ts";

interface Gangs {
  readonly owner: OwnerReference;
  /** Live ones that carry the deployment's label, whoever controls them. */
  readonly gangs: readonly Child[];
  readonly absent: readonly string[];
}

/** Steps towards one gang for each group whose queue has such objects, and the names of objects in the way. */
export function gangSteps(
  groups: readonly { readonly id: number; readonly plan: ServingPlan }[],
  { owner, gangs, absent }: Gangs,
): (Step | string)[] {
  const wanted = groups.flatMap(({ id, plan }) => {
    const desired = missingQueue(plan, absent) === undefined ? podGroup(plan, id, owner) : undefined;
    return desired === undefined ? [] : [{ plan, desired }];
  });
  const superfluous = gangs.filter(
    (gang) => isOurs(gang, owner) && !wanted.some(({ desired }) => find([gang], desired) !== undefined),
  );
  return [
    ...wanted.flatMap(({ plan, desired }) => {
      const live = find(gangs, desired);
      return differences(plan, live === undefined ? [] : [live], () => keep(owner, desired, live));
    }),
    ...superfluous.map((gang) => deletion(gang, "its group is gone, or another queue is used")),
  ];
}
