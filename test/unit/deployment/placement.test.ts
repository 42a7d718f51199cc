import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { driverOf, type Need } from "../../../operator/deployment/need.ts";
import type { Node } from "../../../operator/deployment/objects.ts";
import { barredHosts } from "../../../operator/deployment/opening.ts";
import {
  type Capacity,
  findPlace,
  type Held,
  type Reservation,
} from "../../../operator/deployment/placement.ts";
import { shortageProblem } from "../../../operator/deployment/shortage.ts";

const domainLabel = "nvidia.com/gpu.clique";
const h200: Need = {
  nodes: 2,
  gpusPerNode: 8,
  product: "NVIDIA-H200",
  nodeSelector: { "nvidia.com/gpu.product": "NVIDIA-H200" },
  queueLabels: {},
  tolerations: [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }],
  architecture: "amd64",
  leastDriver: "580.65.06",
  domainLabel: undefined,
};
const gb300: Need = {
  ...h200,
  gpusPerNode: 4,
  product: "NVIDIA-GB300",
  nodeSelector: { "nvidia.com/gpu.product": "NVIDIA-GB300" },
  architecture: "arm64",
  domainLabel,
};

interface NodeState {
  readonly gpus?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly cordoned?: boolean;
  readonly ready?: string;
  readonly taint?: string;
}

function node(name: string, product: string, state: NodeState = {}): Node {
  const { gpus = 8, labels = {}, cordoned, ready = "True", taint } = state;
  const taints = ["nvidia.com/gpu", ...(taint === undefined ? [] : [taint])];
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      uid: name,
      resourceVersion: "1",
      labels: { "kubernetes.io/hostname": name, "nvidia.com/gpu.product": product, ...labels },
    },
    spec: {
      taints: taints.map((key) => ({ key, effect: "NoSchedule" })),
      ...(cordoned !== undefined && { unschedulable: cordoned }),
    },
    status: { gpus, conditions: [{ type: "Ready", status: ready }] },
  };
}
const h = (name: string, state?: NodeState): Node => node(name, "NVIDIA-H200", state);
const g = (name: string, domain: string, state: NodeState = {}): Node =>
  node(name, "NVIDIA-GB300", { gpus: 4, ...state, labels: { [domainLabel]: domain, ...state.labels } });

const cluster = (
  nodes: readonly Node[],
  held: Readonly<Record<string, number>> = {},
  reservations: readonly Reservation[] = [],
): Capacity => ({
  nodes,
  held: new Map(Object.entries(held).map(([name, gpus]): [string, Held] => [name, { gpus, pods: 1 }])),
  reservations,
});

const calm = { nodes: [] };
function problem(need: Need, capacity: Capacity, avoidance: { nodes: string[]; domain?: string } = calm) {
  const place = findPlace(need, capacity, avoidance);
  if (place.fits) throw new Error(`it fits, in ${place.domain}`);
  return shortageProblem(need, place.shortage, capacity, avoidance);
}

describe("a shortage is told in numbers", () => {
  test("of what is free, and of what keeps the rest from counting", () => {
    const capacity = cluster([h("a"), h("b", { cordoned: true })]);
    expect(problem(h200, capacity)).toEqual({
      reason: "NotEnoughNodes",
      message: "needs 2 nodes with 8 free NVIDIA-H200; 1 has them, 1 more is cordoned",
    });
  });

  test.each([
    ["pods", [h("a")], { a: 1 }, "none has them, 1 is busy with 1 pod"],
    ["a node that doesn't answer", [h("a", { ready: "Unknown" })], {}, "none has them, 1 is not Ready"],
    ["a taint", [h("a", { taint: "team" }), h("b")], {}, "1 has them, 1 more has the taint team:NoSchedule"],
    ["few GPUs", [h("a", { gpus: 4 })], {}, "none has them, 1 has fewer than 8 GPUs"],
    [
      "time-slicing",
      [h("a", { labels: { "nvidia.com/gpu.sharing-strategy": "time-slicing" } })],
      {},
      "none has them, 1 shares or splits its GPUs",
    ],
    [
      "replicas",
      [h("a", { labels: { "nvidia.com/gpu.replicas": "2" } })],
      {},
      "none has them, 1 shares or splits its GPUs",
    ],
    [
      "another architecture",
      [h("a", { labels: { "kubernetes.io/arch": "arm64" } })],
      {},
      "none has them, 1 is not amd64",
    ],
  ])("for %s", (_, nodes, held, words) => {
    expect(problem(h200, cluster(nodes, held)).message).toBe(
      `needs 2 nodes with 8 free NVIDIA-H200; ${words}`,
    );
  });

  test("of an old driver, by either name of its label; an absent one counts", () => {
    const full = { labels: { "nvidia.com/cuda.driver-version.full": "570.158.01" } };
    const parts = { labels: { "nvidia.com/cuda.driver.major": "535", "nvidia.com/cuda.driver.minor": "1" } };
    const newer = {
      labels: { "nvidia.com/cuda.driver.major": "580", "nvidia.com/cuda.driver.minor": "105" },
    };
    expect(problem(h200, cluster([h("a", full), h("b", parts)]))).toEqual({
      reason: "DriverTooOld",
      message:
        "needs 2 nodes with 8 free NVIDIA-H200; none has them, 2 have drivers 570.158.01, 535.1, the image needs 580.65.06",
    });
    expect(driverOf(h("a", parts))).toBe("535.1");
    expect(findPlace(h200, cluster([h("a"), h("b", newer)]), calm).fits).toBe(true);
  });

  test("of NVLink domains that are each too small", () => {
    const capacity = cluster([g("a0", "a"), g("a1", "a"), g("b0", "b"), g("c0", "c", { cordoned: true })], {
      a1: 4,
    });
    expect(problem(gb300, capacity)).toEqual({
      reason: "DomainsTooSmall",
      message:
        "needs 2 nodes with 4 free NVIDIA-GB300 in one NVLink domain; free nodes per NVLink domain: a 1, b 1, c 0, 1 more is busy with 1 pod, 1 more is cordoned",
    });
  });

  test("of nodes that aren't there at all, with what is: GB300 is never B300, and shared GPUs are others", () => {
    const nodes = [node("x", "NVIDIA-B300-SXM6-AC"), node("y", "NVIDIA-GB300-SHARED", { gpus: 4 })];
    expect(problem(gb300, cluster(nodes))).toEqual({
      reason: "NodesMissing",
      message:
        "needs 2 nodes with 4 free NVIDIA-GB300 in one NVLink domain; no node has nvidia.com/gpu.product=NVIDIA-GB300; GPU nodes of this cluster: 1 NVIDIA-B300-SXM6-AC, 1 NVIDIA-GB300-SHARED",
    });
  });

  test("of nodes without the label of a domain", () => {
    const capacity = cluster([
      node("a", "NVIDIA-GB300", { gpus: 4 }),
      node("b", "NVIDIA-GB300", { gpus: 4 }),
    ]);
    expect(problem(gb300, capacity).message).toContain(
      "no node has the label nvidia.com/gpu.clique, 2 lack the label nvidia.com/gpu.clique",
    );
  });
});

describe("a place", () => {
  test("is the smallest domain that holds the group", () => {
    const nodes = [..."abc"].flatMap((domain, index) =>
      Array.from({ length: 4 - index }, (_, each) => g(`${domain}${each}`, domain)),
    );
    expect(findPlace(gb300, cluster(nodes), calm)).toEqual({ fits: true, domain: "c" });
    expect(findPlace({ ...gb300, nodes: 3 }, cluster(nodes), calm)).toEqual({ fits: true, domain: "b" });
  });

  test("keeps off blamed nodes while there are others, and off a domain where ranks just got no node", () => {
    const nodes = [g("a0", "a"), g("a1", "a"), g("b0", "b"), g("b1", "b"), g("b2", "b")];
    expect(findPlace(gb300, cluster(nodes), { nodes: ["a0"] })).toMatchObject({ domain: "b" });
    expect(findPlace(gb300, cluster(nodes.slice(0, 2)), { nodes: ["a0"] })).toMatchObject({ domain: "a" });
    expect(findPlace(gb300, cluster(nodes), { nodes: [], domain: "a" })).toMatchObject({ domain: "b" });
    expect(problem(gb300, cluster(nodes.slice(0, 2)), { nodes: [], domain: "a" }).message).toContain(
      "domain a is left alone for some minutes",
    );
  });

  test("is never one that another group was promised", () => {
    const nodes = [g("a0", "a"), g("a1", "a"), g("a2", "a")];
    const promised: Reservation = { group: "other", need: gb300, domain: "a", ranks: 2 };
    expect(problem(gb300, cluster(nodes, {}, [promised])).message).toBe(
      "needs 2 nodes with 4 free NVIDIA-GB300 in one NVLink domain; free nodes per NVLink domain: a 1, 2 more are reserved for groups that start",
    );
    // One of its ranks has its node by now.
    const half = cluster(nodes, { a0: 4 }, [{ ...promised, ranks: 1 }]);
    expect(problem(gb300, half).message).toContain("a 1, 1 more is busy with 1 pod, 1 more is reserved");
  });

  test("names the hosts that match and can't be used, for the scheduler doesn't know", () => {
    const old = { labels: { "nvidia.com/cuda.driver.major": "535" } };
    const nodes = [
      h("b", old),
      h("c", { cordoned: true }),
      h("a", { labels: { "nvidia.com/gpu.replicas": "2" } }),
    ];
    expect(barredHosts(h200, cluster(nodes))).toEqual(["a", "b"]);
  });
});

/** Groups of 1 to 4 come one after another to three domains, and some of them get their nodes. */
test("never more than there is, never half of a group, never across domains", () => {
  const sizes = fc.array(
    fc.record({ nodes: fc.integer({ min: 1, max: 4 }), placed: fc.nat(4), nvlink: fc.boolean() }),
    {
      maxLength: 10,
    },
  );
  const racks = fc.tuple(fc.nat(6), fc.nat(6), fc.nat(6));
  fc.assert(
    fc.property(racks, sizes, fc.nat(5), (rack, groups, taken) => {
      const nodes = rack.flatMap((size, index) =>
        Array.from({ length: size }, (_, each) => g(`r${index}-${each}`, `r${index}`)),
      );
      const held: Record<string, number> = {};
      for (const { metadata } of nodes.slice(0, taken)) held[metadata.name] = 4;
      const reservations: Reservation[] = [];
      for (const [index, { nodes: size, placed, nvlink }] of groups.entries()) {
        const need: Need = { ...gb300, nodes: size, domainLabel: nvlink ? domainLabel : undefined };
        const capacity = cluster(nodes, held, reservations);
        const place = findPlace(need, capacity, calm);
        const open = reservations.reduce((sum, { ranks }) => sum + ranks, 0);
        const free = nodes.length - Object.keys(held).length - open;
        if (!place.fits) {
          if (!nvlink) expect(free).toBeLessThan(size);
          continue;
        }
        expect(free).toBeGreaterThanOrEqual(size);
        // The scheduler gives some of its ranks a node, in its domain.
        const homes = nodes
          .filter(({ metadata }) => held[metadata.name] === undefined)
          .filter(
            ({ metadata }) => place.domain === undefined || metadata.labels?.[domainLabel] === place.domain,
          );
        expect(homes.length).toBeGreaterThanOrEqual(size);
        const ranks = size - Math.min(placed, nvlink ? size : 0);
        for (const { metadata } of homes.slice(0, size - ranks)) held[metadata.name] = 4;
        if (ranks > 0) reservations.push({ group: String(index), need, domain: place.domain, ranks });
      }
    }),
  );
});
