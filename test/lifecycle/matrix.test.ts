import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Fault } from "../controlplane/faults.ts";
import { gpuNode } from "../controlplane/nodes.ts";
import { startCluster, type TestCluster } from "../e2e/cluster.ts";
import { type RunningOperator, startOperator } from "../e2e/operator.ts";
import { type Deeds, deedsByNamespace } from "./deeds.ts";
import { befall, type Cell, cells } from "./matrix.ts";

/** Room for all groups on few nodes, and nodes of one rank each for the faults that take a node along. */
const nodes = [
  ...[0, 1].map((index) => gpuNode({ kind: "H20", name: `large-${index}`, gpus: 4096 })),
  ...Array.from({ length: 72 }, (_, index) => gpuNode({ kind: "H100", name: `small-${index}` })),
];

let cluster: TestCluster;
let operator: RunningOperator;
let outcomes: ReadonlyMap<Cell, PromiseSettledResult<unknown>> = new Map();
let deeds: ReadonlyMap<string, Deeds> = new Map();

beforeAll(async () => {
  const startedAt = new Date();
  cluster = await startCluster(nodes);
  operator = await startOperator(cluster.controlPlane, { workers: 32 });
  outcomes = await settleAll(cells, (cell) => befall(cluster, cell));
  deeds = await deedsByNamespace(cluster.controlPlane, startedAt);
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});

/** So many at a time: one that waits asks the API server again and again. */
const atOnce = 16;

async function settleAll<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<ReadonlyMap<T, PromiseSettledResult<R>>> {
  const settled = new Map<T, PromiseSettledResult<R>>();
  const waiting = items.values();
  const lane = async (): Promise<void> => {
    for (const item of waiting) {
      const [outcome] = await Promise.allSettled([work(item)]);
      if (outcome !== undefined) settled.set(item, outcome);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return settled;
}

/** What status remembers of a group that served or loaded when it was hit. */
const told: Readonly<Record<Fault, object>> = {
  "container restart": { exitCode: 137, reason: "OOMKilled", message: "CUDA out of memory" },
  "pod deleted": { reason: "Deleted" },
  "pod Failed": { reason: "Evicted", message: "The node was low on resource: memory." },
  eviction: { reason: "EvictionByEvictionAPI" },
  "node NotReady": { reason: "NodeLost" },
  "node deleted": {},
};

/** How often each rank of the group that was hit may be made: at first, and once for what happened to the group. */
const mostMade = { loading: 2, ready: 2, rollout: 3, "scale-down": 2 } as const;

describe.each(cells)("$fault of rank $rank, $stage", (cell) => {
  const { fault, rank, stage, namespace } = cell;

  test("ends well, and the reason is kept", () => {
    const outcome = outcomes.get(cell);
    if (outcome?.status !== "fulfilled") throw outcome?.reason;
    if (stage === "loading" || stage === "ready")
      expect(outcome.value).toMatchObject({ pod: `pro-0-${rank}`, ...told[fault] });
  });

  test("replaces every rank once", () => {
    const { counts, deletedTwice, halfOpened } = deeds.get(namespace) ?? {};
    const hit = stage === "rollout" || stage === "scale-down" ? 1 : 0;
    for (const each of [0, 1])
      expect(counts?.get(`create pods/pro-${hit}-${each}`)).toBeLessThanOrEqual(mostMade[stage]);
    expect({ deletedTwice, halfOpened }).toEqual({ deletedTwice: [], halfOpened: [] });
  });
});
