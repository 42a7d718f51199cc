import { domainOf, type Flaw, flawOf, isMatching, type Need } from "./need.ts";
import type { Node } from "./objects.ts";

/**
 * The planner of placement: nodes and what is taken of them in, a place for a whole group out, or what is missing in
 * numbers. A group gets all of its nodes or none, each for one rank, and all in one NVLink domain where it needs that.
 */

/** What pods hold of a node. */
export interface Held {
  readonly gpus: number;
  readonly pods: number;
}

/** Nodes promised to a group whose ranks aren't on them yet. */
export interface Reservation {
  /** UID of the group's StatefulSet. */
  readonly group: string;
  readonly need: Need;
  /** NVLink domain; undefined where any node will do. */
  readonly domain: string | undefined;
  /** Ranks without a node. */
  readonly ranks: number;
}

export interface Capacity {
  readonly nodes: readonly Node[];
  /** By node. */
  readonly held: ReadonlyMap<string, Held>;
  readonly reservations: readonly Reservation[];
}

/** What a group would rather not have. */
export interface Avoidance {
  /** Nodes to take only where there are no others. */
  readonly nodes: readonly string[];
  /** NVLink domain in which the group just now got no nodes. */
  readonly domain?: string | undefined;
}

export interface Shortage {
  /** Nodes that match the selector, by what is against them; "free" has them all, "busy" too few GPUs free. */
  readonly nodes: Readonly<Partial<Record<Flaw | "free" | "busy" | "reserved", readonly Node[]>>>;
  /** Free nodes of each NVLink domain; empty where the group needs none. */
  readonly domains: ReadonlyMap<string, number>;
}

export type Place =
  | { readonly fits: true; readonly domain: string | undefined }
  | { readonly fits: false; readonly shortage: Shortage };

/** The smallest NVLink domain that holds the group, so that larger ones stay whole for larger groups. */
export function findPlace(need: Need, capacity: Capacity, avoidance: Avoidance): Place {
  const free = freeGpus(capacity);
  const reserved = reserve(capacity, free);
  const matching = capacity.nodes.filter((node) => isMatching(need, node));
  const standing = Map.groupBy(matching, (node): keyof Shortage["nodes"] => {
    const flaw = flawOf(need, node);
    if (flaw !== undefined) return flaw;
    if ((free.get(node.metadata.name) ?? 0) >= need.gpusPerNode) return "free";
    return reserved.has(node.metadata.name) ? "reserved" : "busy";
  });
  const usable = standing.get("free") ?? [];
  const favoured = usable.filter(({ metadata }) => !avoidance.nodes.includes(metadata.name));
  const domain =
    smallestDomain(need, favoured, avoidance.domain) ?? smallestDomain(need, usable, avoidance.domain);
  if (domain !== undefined)
    return { fits: true, domain: need.domainLabel === undefined ? undefined : domain };

  const domains = new Map(
    need.domainLabel === undefined
      ? []
      : [...Map.groupBy(matching, (node) => domainOf(need, node) ?? "")]
          .filter(([name]) => name !== "")
          .map(([name, nodes]) => [name, nodes.filter((node) => usable.includes(node)).length] as const),
  );
  return { fits: false, shortage: { nodes: Object.fromEntries(standing), domains } };
}

/** Where the group needs no domain, all nodes are one, named "". */
function smallestDomain(need: Need, nodes: readonly Node[], avoided: string | undefined): string | undefined {
  return [...Map.groupBy(nodes, (node) => domainOf(need, node) ?? "")]
    .filter(([name, members]) => members.length >= need.nodes && (name === "" || name !== avoided))
    .sort(([a, some], [b, others]) => some.length - others.length || (a < b ? -1 : 1))[0]?.[0];
}

function freeGpus({ nodes, held }: Capacity): Map<string, number> {
  return new Map(
    nodes.map(({ metadata: { name }, status }) => [name, (status?.gpus ?? 0) - (held.get(name)?.gpus ?? 0)]),
  );
}

/**
 * Takes what is reserved off what is free. Which of several nodes a rank will get is the scheduler's choice: it counts as
 * one of those with the least to spare, whichever.
 * @returns the nodes that it counts as
 */
function reserve({ nodes, reservations }: Capacity, free: Map<string, number>): ReadonlySet<string> {
  const taken = new Set<string>();
  for (const { need, domain, ranks } of reservations) {
    const spare = ({ metadata }: Node): number => free.get(metadata.name) ?? 0;
    const candidates = nodes
      .filter((node) => spare(node) >= need.gpusPerNode && isMatching(need, node))
      .filter((node) => flawOf(need, node) === undefined && domainOf(need, node) === domain)
      .sort((a, b) => spare(a) - spare(b) || (a.metadata.name < b.metadata.name ? -1 : 1));
    for (const node of candidates.slice(0, ranks)) {
      free.set(node.metadata.name, spare(node) - need.gpusPerNode);
      taken.add(node.metadata.name);
    }
  }
  return taken;
}
