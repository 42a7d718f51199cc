import { labels } from "../../charts/names.ts";
import { resources } from "../../charts/resources.ts";
import { dropFinalizer, removal } from "./compute-domains.ts";
import { deadPods } from "./group-steps.ts";
import { isTerminating } from "./groups.ts";
import type { NodeWatch } from "./loss.ts";
import { type Child, type ComputeDomain, controllerOf, type Deployment, type Pod } from "./objects.ts";
import { releaseSteps } from "./queueing.ts";
import { nameOf, type Stages, type Step } from "./steps.ts";
import { stopsNow } from "./stopping.ts";

/** What is left of a deployment that is gone or going. */
export interface Remains {
  /** undefined once it is gone. */
  readonly deployment: Deployment | undefined;
  readonly statefulSets: readonly Child[];
  readonly pods: readonly Pod[];
  /** Empty where the API server serves none. */
  readonly computeDomains: readonly ComputeDomain[];
}

/**
 * What is left to do for a deployment that is gone or going. Most is the garbage collector's, which waits for our finalizer
 * where a ComputeDomain has to outlive the ranks: then they are stopped from here. What is on a lost node goes by force.
 */
export function farewell(
  { deployment, statefulSets, pods, computeDomains }: Remains,
  watch: NodeWatch,
): Stages {
  const podsOf = Map.groupBy(pods, groupOf);
  const groups = new Map(statefulSets.map((statefulSet) => [groupOf(statefulSet), statefulSet]));
  const inUse = (domain: ComputeDomain): boolean =>
    podsOf.has(groupOf(domain)) || groups.has(groupOf(domain));
  const forced = deadPods(pods, watch);
  const shortened = shorten([...podsOf.values()]).filter(
    (step) => !forced.some((each) => nameOf(each) === nameOf(step)),
  );
  const hastened = [...forced, ...shortened, ...releaseSteps(pods, [], new Set())];
  const removals = computeDomains.filter((domain) => !inUse(domain)).flatMap(removal);
  if (deployment === undefined) return [[...hastened, ...removals]];

  const { name, uid, finalizers = [] } = deployment.metadata;
  const isOurs = (statefulSet: Child | undefined): boolean =>
    statefulSet !== undefined && controllerOf(statefulSet)?.uid === uid;
  // Of an orphan the ranks go on, and so does their ComputeDomain; it goes when they do, without its deployment.
  const orphaning = finalizers.includes("orphan");
  const held = computeDomains.filter((domain) => {
    const group = groups.get(groupOf(domain));
    return inUse(domain) && !orphaning && (group === undefined || isOurs(group));
  });
  if (held.length === 0) return [[...hastened, ...removals], dropFinalizer({ name, uid }, finalizers)];

  const stops = statefulSets
    .filter((statefulSet) => isOurs(statefulSet) && statefulSet.metadata.deletionTimestamp === undefined)
    .map(({ metadata }): Step => {
      const reason = "its deployment is being deleted";
      return {
        do: "delete",
        resource: resources.statefulSets,
        name: metadata.name,
        uid: metadata.uid,
        reason,
      };
    });
  return [[...stops, ...hastened, ...removals]];
}

const groupOf = ({ metadata }: Pick<Pod, "metadata">): string => metadata.labels?.[labels.group] ?? "";

/**
 * The garbage collector gives every rank its whole grace, but once rank 0 has finished, the others have nothing to wait for
 * and would only hold their GPUs. It deletes ranks in any order, so a rank 0 that isn't stopping yet is still to finish its
 * requests.
 */
const shorten = (groups: readonly (readonly Pod[])[]): Step[] =>
  groups
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
