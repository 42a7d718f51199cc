import type { Toleration } from "../../crds/schema.ts";
import { hardware } from "../../synth/catalogue/hardware.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import type { Node, Pod, Taint } from "./objects.ts";

/** What the ranks of a group ask of their nodes. Each has a node to itself. */
export interface Need {
  readonly nodes: number;
  readonly gpusPerNode: number;
  /** What people call the GPUs. */
  readonly product: string;
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** Of the selector's, the labels that a queue gave to the pods. */
  readonly queueLabels: Readonly<Record<string, string>>;
  readonly tolerations: readonly Toleration[];
  readonly architecture: string;
  /** Of NVIDIA's driver; undefined where it isn't known. */
  readonly leastDriver: string | undefined;
  /** Node label whose value all nodes have to share; undefined where any will do. */
  readonly domainLabel: string | undefined;
}

const productLabel = "nvidia.com/gpu.product";

/**
 * What a plan asks of nodes, and what has been added to its pods since: a queue gives them the labels and tolerations of
 * the nodes that it admits them to. A label in which the pods differ names the place of each: it is the queue's choice.
 */
export function needOf(
  { nodes, gpusPerNode, hardware: kind, placement, image, nvlink }: ServingPlan,
  pods: readonly Pick<Pod, "spec">[] = [],
): Need {
  const [first, ...others] = pods.map(({ spec }) => spec.nodeSelector ?? {});
  const queueLabels = Object.fromEntries(
    Object.entries(first ?? {}).filter(
      ([label, value]) =>
        placement.nodeSelector[label] === undefined && others.every((other) => other[label] === value),
    ),
  );
  return {
    nodes,
    gpusPerNode,
    product: placement.nodeSelector[productLabel] ?? hardware[kind].productLabel,
    nodeSelector: { ...placement.nodeSelector, ...queueLabels },
    queueLabels,
    tolerations: [...placement.tolerations, ...(pods[0]?.spec.tolerations ?? [])],
    architecture: hardware[kind].architecture,
    leastDriver: image.leastDriver,
    domainLabel: nvlink?.domainLabel,
  };
}

/** Why no rank can run on a node that the selector matches. Those of `barring` the scheduler doesn't know of. */
export const barring = ["shared", "otherArchitecture", "oldDriver"] as const;
export type Bar = (typeof barring)[number];
export type Flaw = Bar | "cordoned" | "notReady" | "tainted" | "tooSmall" | "noDomain";

export const isMatching = ({ nodeSelector }: Need, node: Node): boolean =>
  Object.entries(nodeSelector).every(([label, value]) => labelOf(node, label) === value);

/** Why no rank can run on the node even when it is empty; undefined when one can. */
export function flawOf(need: Need, node: Node): Flaw | undefined {
  const bar = barOf(need, node);
  if (bar !== undefined) return bar;
  if (node.spec?.unschedulable === true) return "cordoned";
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
  if (ready?.status !== "True") return "notReady";
  if (untolerated(need, node) !== undefined) return "tainted";
  if ((node.status?.gpus ?? 0) < need.gpusPerNode) return "tooSmall";
  if (need.domainLabel !== undefined && domainOf(need, node) === undefined) return "noDomain";
  return undefined;
}

/** What a label of the node says against it. A label that is absent says nothing. */
export function barOf({ architecture, leastDriver }: Need, node: Node): Bar | undefined {
  if (isShared(node)) return "shared";
  const arch = labelOf(node, "kubernetes.io/arch");
  if (arch !== undefined && arch !== architecture) return "otherArchitecture";
  const driver = driverOf(node);
  if (driver !== undefined && leastDriver !== undefined && isOlder(driver, leastDriver)) return "oldDriver";
  return undefined;
}

/** Value of the label that names the node's NVLink domain. */
export function domainOf({ domainLabel }: Need, node: Node): string | undefined {
  const domain = domainLabel === undefined ? undefined : labelOf(node, domainLabel);
  return domain === "" ? undefined : domain;
}

/** The first taint that keeps the ranks off. */
export function untolerated({ tolerations }: Need, node: Node): Taint | undefined {
  return node.spec?.taints?.find(
    (taint) => taint.effect !== "PreferNoSchedule" && !tolerations.some((each) => tolerates(each, taint)),
  );
}

function tolerates({ key, operator, value, effect }: Toleration, taint: Taint): boolean {
  if (effect !== undefined && effect !== taint.effect) return false;
  if (key !== undefined && key !== "" && key !== taint.key) return false;
  return operator === "Exists" || (value ?? "") === (taint.value ?? "");
}

export const productOf = (node: Node): string | undefined => labelOf(node, productLabel);

/** Version of NVIDIA's driver by GPU feature discovery's labels, the newer name first. */
export function driverOf(node: Node): string | undefined {
  const full = labelOf(node, "nvidia.com/cuda.driver-version.full");
  if (full !== undefined) return full;
  const parts = ["major", "minor", "rev"].map((part) => labelOf(node, `nvidia.com/cuda.driver.${part}`));
  return parts[0] === undefined ? undefined : parts.filter((part) => part !== undefined).join(".");
}

/** GPUs cut up or handed out several times: a rank needs whole ones to itself. */
export function isShared(node: Node): boolean {
  const product = productOf(node) ?? "";
  const strategy = labelOf(node, "nvidia.com/gpu.sharing-strategy") ?? "none";
  const replicas = Number(labelOf(node, "nvidia.com/gpu.replicas") ?? 1);
  return product.endsWith("-SHARED") || product.includes("-MIG-") || strategy !== "none" || replicas > 1;
}

function isOlder(version: string, least: string): boolean {
  const [ours, theirs] = [version, least].map((each) => each.split(".").map(Number));
  for (const [index, part] of (theirs ?? []).entries()) {
    const own = ours?.[index];
    // A label that tells less than it takes is no proof.
    if (own === undefined || Number.isNaN(own) || own > part) return false;
    if (own < part) return true;
  }
  return false;
}

const labelOf = ({ metadata }: Node, label: string): string | undefined => metadata.labels?.[label];
