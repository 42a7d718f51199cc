import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { faults, inject } from "../controlplane/faults.ts";
import { gpuNode } from "../controlplane/nodes.ts";
import { startCluster, type TestCluster } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { type RunningOperator, startOperator } from "../e2e/operator.ts";
import { deedsByNamespace } from "./deeds.ts";
import { deploymentName, pro } from "./stories.ts";

/** `npm run test:lifecycle` draws more of them. */
const count = process.env.LIFECYCLE === "full" ? 60 : 10;

const wishes = [
  { replicas: 1 },
  { replicas: 2 },
  { replicas: 2, contextLength: 65_536 },
  { replicas: 2, suspend: true },
  { replicas: 2, contextLength: 32_768, rollout: { maxUnavailable: 2 } },
] as const;

const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      fault: fc.constantFrom(...faults.filter((fault) => !fault.startsWith("node"))),
      group: fc.nat(2),
      rank: fc.nat(1),
    }),
  },
  { weight: 2, arbitrary: fc.record({ wish: fc.constantFrom(...wishes) }) },
  // Otherwise everything would fall into the first moments of a group.
  { weight: 1, arbitrary: fc.constant("until whole" as const) },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

const sequences = fc.sample(fc.array(action, { minLength: 3, maxLength: 10 }), count);

const spec = { ...pro, recovery: { maxRestarts: 100 } };
const nodes = [0, 1, 2, 3].map((index) => gpuNode({ kind: "H20", name: `gpu-${index}`, gpus: 4096 }));
let cluster: TestCluster;
let operator: RunningOperator;
const startedAt = new Date();

beforeAll(async () => {
  cluster = await startCluster(nodes);
  operator = await startOperator(cluster.controlPlane, { workers: 16 });
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});

async function act(namespace: string, wanted: Action): Promise<void> {
  if (wanted === "until whole") await isAtRest(namespace);
  else if ("wish" in wanted) await cluster.apply(namespace, deploymentName, { ...spec, ...wanted.wish });
  else {
    const name = `${deploymentName}-${wanted.group}-${wanted.rank}`;
    await inject(cluster.controlPlane, wanted.fault, { namespace, name });
  }
}

const isAtRest = (namespace: string): Promise<true> =>
  eventually(
    `${namespace} is at rest`,
    async () => {
      const { Reconciling } = await cluster.conditions(namespace, deploymentName);
      return Reconciling?.status === "False" ? true : undefined;
    },
    120,
  );

test("whatever happens, in whatever order, a deployment ends as its last request says", async () => {
  const lanes = sequences.map((actions, index) => ({ actions, namespace: `lane-${index}` }));
  const ends = await Promise.allSettled(
    lanes.map(async ({ actions, namespace }) => {
      await cluster.namespace(namespace);
      await cluster.apply(namespace, deploymentName, { ...spec, replicas: 2 });
      // All at once, on two cores.
      await cluster.becomesReady(namespace, deploymentName, 240);
      for (const each of actions) await act(namespace, each);
      await cluster.apply(namespace, deploymentName, { ...spec, replicas: 2, contextLength: 131_072 });
      await cluster.becomesReady(namespace, deploymentName, 180);
      const { groups = [], updatedReplicas } = await cluster.status(namespace, deploymentName);
      return { groups: groups.map(({ state, readyRanks }) => `${state} ${readyRanks}`), updatedReplicas };
    }),
  );
  const deeds = await deedsByNamespace(cluster.controlPlane, startedAt);
  for (const [index, { actions, namespace }] of lanes.entries()) {
    const where = JSON.stringify(actions);
    const end = ends[index];
    expect.soft(end?.status === "fulfilled" ? end.value : String(end?.reason), where).toEqual({
      groups: ["Ready 2", "Ready 2"],
      updatedReplicas: 2,
    });
    const { deletedTwice, halfOpened } = deeds.get(namespace) ?? {};
    expect.soft({ deletedTwice, halfOpened }, where).toEqual({ deletedTwice: [], halfOpened: [] });
  }
});
