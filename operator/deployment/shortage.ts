import { driverOf, type Need, productOf, untolerated } from "./need.ts";
import type { Node } from "./objects.ts";
import type { Avoidance, Capacity, Shortage } from "./placement.ts";

/** Why a group has no nodes: a condition's reason, and the sentence for it. */
export interface PlacementProblem {
  readonly reason: string;
  readonly message: string;
}

/** Longest list in a sentence. */
const listLimit = 8;

/** A shortage in numbers: what is needed, what there is, and what is against the rest. */
export function shortageProblem(
  need: Need,
  { nodes, domains }: Shortage,
  capacity: Capacity,
  avoidance: Avoidance,
): PlacementProblem {
  const free = nodes.free ?? [];
  const where = need.domainLabel === undefined ? "" : " in one NVLink domain";
  const labels = pairs(need.queueLabels).join(", ");
  const queued = labels === "" ? "" : ` with ${labels}, as its queue says`;
  const asks = `needs ${count(need.nodes, "node")} with ${need.gpusPerNode} free ${need.product}${where}${queued}`;
  const matching = Object.values(nodes).flat().length;
  if (matching === 0) {
    const wanted = pairs(need.nodeSelector).join(", ");
    return {
      reason: "NodesMissing",
      message: `${asks}; no node has ${wanted}; GPU nodes of this cluster: ${products(capacity.nodes)}`,
    };
  }
  const has =
    need.domainLabel === undefined
      ? `${free.length === 0 ? "none has" : verb(free.length, "has", "have")} them`
      : domains.size === 0
        ? `no node has the label ${need.domainLabel}`
        : `free nodes per NVLink domain: ${perDomain(domains)}`;
  const avoided = avoidance.domain;
  const shunned =
    avoided === undefined || !domains.has(avoided)
      ? []
      : [`domain ${avoided} is left alone for some minutes, since ranks got no node there`];
  return {
    reason: reasonOf(need, nodes),
    message: [asks, [has, ...against(need, nodes, capacity)].join(", "), ...shunned].join("; "),
  };
}

function reasonOf(need: Need, nodes: Shortage["nodes"]): string {
  const free = nodes.free?.length ?? 0;
  if (free >= need.nodes) return "DomainsTooSmall";
  return free + (nodes.oldDriver?.length ?? 0) >= need.nodes ? "DriverTooOld" : "NotEnoughNodes";
}

/** What keeps the other nodes from counting. */
function against(need: Need, nodes: Shortage["nodes"], { held }: Capacity): string[] {
  const more = nodes.free === undefined ? "" : "more ";
  const tell = (of: readonly Node[] | undefined, singular: string, plural: string): string[] =>
    of === undefined ? [] : [verb(of.length, `${more}${singular}`, `${more}${plural}`)];
  const pods = (nodes.busy ?? []).reduce(
    (sum, { metadata }) => sum + (held.get(metadata.name)?.pods ?? 0),
    0,
  );
  const taint = nodes.tainted?.map((node) => untolerated(need, node))[0];
  const drivers = [...new Set(nodes.oldDriver?.map(driverOf))].join(", ");
  return [
    ...tell(nodes.busy, `is busy with ${count(pods, "pod")}`, `are busy with ${count(pods, "pod")}`),
    ...tell(nodes.reserved, "is reserved for a group that starts", "are reserved for groups that start"),
    ...tell(nodes.cordoned, "is cordoned", "are cordoned"),
    ...tell(nodes.notReady, "is not Ready", "are not Ready"),
    ...tell(
      nodes.tainted,
      `has the taint ${taint?.key}:${taint?.effect}`,
      `have taints such as ${taint?.key}:${taint?.effect}`,
    ),
    ...tell(
      nodes.oldDriver,
      `has driver ${drivers}, the image needs ${need.leastDriver}`,
      `have drivers ${drivers}, the image needs ${need.leastDriver}`,
    ),
    ...tell(nodes.shared, "shares or splits its GPUs", "share or split their GPUs"),
    ...tell(nodes.otherArchitecture, `is not ${need.architecture}`, `are not ${need.architecture}`),
    ...tell(
      nodes.tooSmall,
      `has fewer than ${need.gpusPerNode} GPUs`,
      `have fewer than ${need.gpusPerNode} GPUs`,
    ),
    ...tell(nodes.noDomain, `lacks the label ${need.domainLabel}`, `lack the label ${need.domainLabel}`),
  ];
}

/** The fullest are of least interest. */
function perDomain(domains: ReadonlyMap<string, number>): string {
  const sorted = [...domains].sort(([a, some], [b, others]) => others - some || (a < b ? -1 : 1));
  return list(sorted.map(([name, free]) => `${name} ${free}`));
}

function products(nodes: readonly Node[]): string {
  const known = Map.groupBy(nodes, productOf);
  const told = [...known].flatMap(([product, of]) =>
    product === undefined ? [] : [`${of.length} ${product}`],
  );
  return told.length === 0 ? "none" : list(told.sort());
}

const pairs = (map: Readonly<Record<string, string>>): string[] =>
  Object.entries(map).map(([key, value]) => `${key}=${value}`);
const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;
const verb = (number: number, singular: string, plural: string): string =>
  `${number} ${number === 1 ? singular : plural}`;
const list = (parts: readonly string[]): string =>
  parts.length <= listLimit
    ? parts.join(", ")
    : `${parts.slice(0, listLimit).join(", ")} and ${parts.length - listLimit} more`;
