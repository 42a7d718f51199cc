import { groupName } from "../../charts/names.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import { type Group, presentPods } from "./groups.ts";
import { barOf, isMatching, type Need, needOf } from "./need.ts";
import type { ComputeDomain } from "./objects.ts";
import { type Capacity, findPlace } from "./placement.ts";
import { leftAloneMilliseconds } from "./recovery.ts";
import { type PlacementProblem, shortageProblem } from "./shortage.ts";

/** What decides whether a group may open: its plan, and what there is for it. */
export interface Site {
  /** undefined where the group's revision is not known any more; then nothing is counted. */
  readonly plan: ServingPlan | undefined;
  readonly capacity: Capacity;
  /** Nodes are added for pods that wait. */
  readonly nodesOnDemand: boolean;
  /** The group's own; "absent": the API server doesn't serve them. */
  readonly computeDomain: ComputeDomain | "absent" | undefined;
}

export type Opening =
  /** `need` is undefined where nothing is counted. */
  | { readonly may: true; readonly domain: string | undefined; readonly need: Need | undefined }
  | { readonly may: false; readonly problem?: PlacementProblem; readonly wakeMilliseconds?: number };

const install =
  "install NVIDIA's DRA driver for GPUs (chart dra-driver-nvidia-gpu 0.4.1 or newer, on Kubernetes 1.34.2 or newer), or set fabric.mnnvl: Off";

/** Whether the ranks that wait at the gate get nodes now, and in which NVLink domain. */
export function mayOpen(group: Group, site: Site, avoid: readonly string[], now: number): Opening {
  const { plan, capacity, computeDomain, nodesOnDemand } = site;
  if (plan === undefined) return { may: true, domain: undefined, need: undefined };
  if (plan.nvlink !== undefined) {
    const name = groupName(plan.name, group.id);
    if (computeDomain === "absent") {
      const message = `ranks on NVLink between nodes need an IMEX channel, and this cluster serves no ComputeDomain (resource.nvidia.com/v1beta1): ${install}`;
      return { may: false, problem: { reason: "ComputeDomainMissing", message } };
    }
    if (computeDomain?.metadata.deletionTimestamp !== undefined) {
      const message = `ComputeDomain ${name} of earlier ranks is still being deleted by NVIDIA's DRA driver; if that lasts, look at the driver's controller`;
      return { may: false, problem: { reason: "ComputeDomainGoing", message } };
    }
    // It was asked for just now; its coming brings us back.
    if (computeDomain === undefined) return { may: false };
  }
  const milliseconds = leftAloneMilliseconds(group.recovery, now);
  const refused = milliseconds > 0 ? group.recovery.unplaced : undefined;
  const wake = refused === undefined ? {} : { wakeMilliseconds: milliseconds };
  if (refused !== undefined && refused.domain === undefined) {
    const message = `ranks got no node in time and were all taken back; they are tried again within ${Math.ceil(milliseconds / 60_000)} min: ${refused.words}`;
    return { may: false, problem: { reason: "Unschedulable", message }, ...wake };
  }
  const need = needOf(plan, presentPods(group));
  const avoidance = { nodes: avoid, domain: refused?.domain };
  const place = findPlace(need, capacity, avoidance);
  if (place.fits) return { may: true, domain: place.domain, need };
  if (nodesOnDemand) return { may: true, domain: undefined, need };
  return { may: false, problem: shortageProblem(need, place.shortage, capacity, avoidance), ...wake };
}

/** Hosts that match the selector and that the ranks can't run on all the same. The scheduler doesn't know that. */
export const barredHosts = (need: Need, { nodes }: Capacity): string[] =>
  nodes
    .filter((node) => isMatching(need, node) && barOf(need, node) !== undefined)
    .map(({ metadata }) => metadata.labels?.["kubernetes.io/hostname"] ?? metadata.name)
    .sort();
