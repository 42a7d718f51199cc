/** What can befall a rank, at every stage of its group's life. */
import { callApi } from "../controlplane/api.ts";
import { type Fault, faults, inject } from "../controlplane/faults.ts";
import type { PodShape, TestCluster } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { deploymentName, holdWhileTerminating } from "./stories.ts";

export const stages = ["loading", "ready", "rollout", "scale-down"] as const;
export type Stage = (typeof stages)[number];

export interface Cell {
  readonly fault: Fault;
  readonly rank: 0 | 1;
  readonly stage: Stage;
  readonly namespace: string;
}

export const cells: readonly Cell[] = faults.flatMap((fault) =>
  ([0, 1] as const).flatMap((rank) =>
    stages.map((stage) => ({
      fault,
      rank,
      stage,
      namespace: `${fault}-${rank}-${stage}`.replaceAll(" ", "-").toLowerCase(),
    })),
  ),
);

/** Node faults take whole nodes, so those cells have nodes that hold one rank each. */
const hardwareOf = ({ fault }: Cell): string => (fault.startsWith("node") ? "H100" : "H20");

const loading = { podTemplate: { annotations: { "kwok.mimo.dev/hold": "Loading" } } };

/**
 * Brings a deployment to the stage, lets the fault befall one of its ranks, and waits until all is well again.
 * @returns the failure that status remembers of the group that was hit
 */
export async function befall(cluster: TestCluster, cell: Cell): Promise<unknown> {
  const { namespace, stage } = cell;
  await cluster.namespace(namespace);
  const spec = {
    variant: "MiMo-V2.5-Pro",
    hardware: hardwareOf(cell),
    recovery: { nodeLossTimeoutSeconds: 10 },
  };
  await courses[stage](cluster, cell, spec);
  await cluster.becomesReady(namespace, deploymentName);
  return (await cluster.status(namespace, deploymentName)).groups?.[0]?.lastFailure;
}

type Course = (cluster: TestCluster, cell: Cell, spec: Readonly<Record<string, unknown>>) => Promise<void>;

const courses: Readonly<Record<Stage, Course>> = {
  loading: async (cluster, cell, spec) => {
    await cluster.apply(cell.namespace, deploymentName, { ...spec, ...loading });
    const before = await runs(cluster, cell.namespace, 0, []);
    await hit(cluster, cell, 0);
    await runs(cluster, cell.namespace, 0, before);
    await finishLoading(cluster, cell.namespace);
  },
  ready: async (cluster, cell, spec) => {
    await cluster.apply(cell.namespace, deploymentName, spec);
    await cluster.becomesReady(cell.namespace, deploymentName);
    const before = await runs(cluster, cell.namespace, 0, []);
    await hit(cluster, cell, 0);
    await runs(cluster, cell.namespace, 0, before);
  },
  // One group loads the new revision when the other, which alone serves, loses a rank.
  rollout: async (cluster, cell, spec) => {
    await cluster.apply(cell.namespace, deploymentName, { ...spec, replicas: 2 });
    await cluster.becomesReady(cell.namespace, deploymentName);
    const before = await cluster.pods(cell.namespace);
    await cluster.apply(cell.namespace, deploymentName, {
      ...spec,
      ...loading,
      replicas: 2,
      contextLength: 65_536,
    });
    await runs(cluster, cell.namespace, 0, before);
    const isDone = await hit(cluster, cell, 1);
    // A budget that refuses keeps the last group that serves; then it has its own turn after the other.
    if (!isDone) await finishLoading(cluster, cell.namespace);
    await runs(cluster, cell.namespace, 1, before);
    await finishLoading(cluster, cell.namespace);
  },
  // Rank 0 still finishes its requests when its group, which is on its way out, loses a rank.
  "scale-down": async (cluster, cell, spec) => {
    const { namespace } = cell;
    await cluster.apply(namespace, deploymentName, { ...spec, replicas: 2 });
    await cluster.becomesReady(namespace, deploymentName);
    await holdWhileTerminating(cluster, namespace, "pro-1-0");
    await cluster.apply(namespace, deploymentName, { ...spec, replicas: 1 });
    await eventually("rank 0 is stopping", async () => {
      const pod = await cluster.get(`/api/v1/namespaces/${namespace}/pods/pro-1-0`);
      return pod.metadata.deletionTimestamp === undefined ? undefined : true;
    });
    await hit(cluster, cell, 1);
    await eventually("rank 0 may end", async () => {
      const there = await cluster.exists(`/api/v1/namespaces/${namespace}/pods/pro-1-0`);
      if (there) await holdWhileTerminating(cluster, namespace, "pro-1-0", null);
      return true;
    });
    await eventually("the group is gone", async () => {
      const left = (await cluster.pods(namespace)).map(({ metadata }) => metadata.name).sort();
      if (left.join() === "pro-0-0,pro-0-1") return true;
      throw new Error(left.join());
    });
  },
};

/** Kubernetes stamps in whole seconds: from the next on, an end is after every start so far. */
async function hit(
  cluster: TestCluster,
  { fault, rank, stage, namespace }: Cell,
  group: number,
): Promise<boolean> {
  const next = Math.floor(Date.now() / 1000) + 1;
  await eventually("the second is over", async () => (Date.now() / 1000 >= next ? true : undefined));
  const strike = (): Promise<boolean> =>
    inject(cluster.controlPlane, fault, { namespace, name: `${deploymentName}-${group}-${rank}` });
  // Beside another group that is down the budget refuses for long; alone only until it has counted its pods.
  if (stage === "rollout" || stage === "scale-down") return strike();
  return eventually("the fault is in", async () => (await strike()) || undefined);
}

const ranksOf = (pods: readonly PodShape[], group: number): PodShape[] =>
  pods.filter(({ metadata }) => metadata.name.startsWith(`${deploymentName}-${group}-`));

/** Waits until both ranks of a group run, in one formation, and none of them is one of `before`. */
async function runs(
  cluster: TestCluster,
  namespace: string,
  group: number,
  before: readonly PodShape[],
): Promise<PodShape[]> {
  const former = new Set(before.map(({ metadata }) => metadata.uid));
  return eventually(
    `group ${group} runs`,
    async () => {
      const ranks = ranksOf(await cluster.pods(namespace), group);
      const formations = new Set(ranks.map(({ metadata }) => metadata.annotations["mimo.dev/formation"]));
      const running = ranks.filter(
        ({ metadata, status, spec }) =>
          status.phase === "Running" &&
          metadata.deletionTimestamp === undefined &&
          spec.nodeName !== undefined &&
          !former.has(metadata.uid),
      );
      if (ranks.length === 2 && running.length === 2 && formations.size === 1) return ranks;
      const told = ranks.map(
        ({ metadata, status }) => `${metadata.name} ${status.phase} ${former.has(metadata.uid)}`,
      );
      throw new Error(told.join("; "));
    },
    120,
  );
}

/** Plays the kubelet for every rank that loads: its startup probe passes. */
async function finishLoading({ controlPlane, pods }: TestCluster, namespace: string): Promise<void> {
  for (const { metadata, status } of await pods(namespace)) {
    if (status.phase !== "Running" || metadata.deletionTimestamp !== undefined) continue;
    await callApi(controlPlane, `/api/v1/namespaces/${namespace}/pods/${metadata.name}/status`, {
      method: "PATCH",
      contentType: "application/strategic-merge-patch+json",
      body: {
        metadata: { uid: metadata.uid },
        status: { conditions: [{ type: "Ready", status: "True" }] },
      },
    });
  }
}
