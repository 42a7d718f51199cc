import type { Store } from "../runtime/store.ts";
import type { Formation } from "./formation.ts";
import { isTerminating } from "./groups.ts";
import type { Need } from "./need.ts";
import type { Pod } from "./objects.ts";
import type { Reservation } from "./placement.ts";

/** A formation whose ranks are on their way to their nodes. */
export interface Pledge {
  /** UID of the group's StatefulSet. */
  readonly group: string;
  readonly namespace: string;
  readonly need: Need;
  readonly formation: Formation;
}

/**
 * What this process has promised to groups, from the moment at which it was decided: the caches show a formation, and its
 * ranks on their nodes, only later. A new process reads it off the formations on record.
 */
export interface Reservations {
  hold(pledge: Pledge): void;
  release(group: string): void;
  /** Those with ranks that have no node yet. */
  open(): Reservation[];
}

export function createReservations(pods: Pick<Store<Pod>, "get">): Reservations {
  const pledges = new Map<string, Pledge>();

  /** Ranks that are there and have no node yet: none once all have one, or are gone. */
  function ranksWithoutNode({ namespace, formation }: Pledge): number {
    return Object.entries(formation.pods).filter(([name, uid]) => {
      const pod = pods.get({ namespace, name });
      return pod?.metadata.uid === uid && pod.spec.nodeName === undefined && !isTerminating(pod);
    }).length;
  }

  return {
    hold: (pledge) => {
      pledges.set(pledge.group, pledge);
    },
    release: (group) => {
      pledges.delete(group);
    },
    open: () =>
      [...pledges.values()].flatMap((pledge) => {
        const ranks = ranksWithoutNode(pledge);
        if (ranks === 0) pledges.delete(pledge.group);
        const { group, need, formation } = pledge;
        return ranks === 0 ? [] : [{ group, need, domain: formation.domain, ranks }];
      }),
  };
}
