import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { z } from "zod";
import { callApi } from "../controlplane/api.ts";
import { gpuNode } from "../controlplane/nodes.ts";
import { startCluster, type TestCluster } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { installOperator, type RunningOperator, startOperator } from "../e2e/operator.ts";
import { applyDocuments, installKueue, startKueue } from "./kueue.ts";
import { ensureKueue } from "./kueue-build.ts";

let cluster: TestCluster;
let operator: RunningOperator;

const platform = {
  apiVersion: "mimo.dev/v1alpha1",
  kind: "MiMoPlatform",
  metadata: { name: "default" },
  spec: { queue: { system: "Kueue" } },
};
const kueue = "kueue.x-k8s.io/v1beta1";
const priorityClass = {
  apiVersion: kueue,
  kind: "WorkloadPriorityClass",
  metadata: { name: "high" },
  value: 1000,
};

beforeAll(async () => {
  const build = await ensureKueue((line) => process.stderr.write(`${line}\n`));
  const nodes = [0, 1, 2, 3, 4, 5].map((index) => gpuNode({ kind: "H200", name: `h200-${index}` }));
  cluster = await startCluster(nodes, {
    prepare: async (administrator) => {
      await installOperator(administrator);
      await installKueue(administrator, build);
    },
  });
  await startKueue(cluster.controlPlane, build);
  await applyDocuments(
    cluster.controlPlane,
    [platform, priorityClass].map((object) => stringify(object)),
  );
  operator = await startOperator(cluster.controlPlane);
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});
afterEach(() => cluster.clear());

/** A namespace with a queue of its own, whose quota is so many GPUs, on nodes with the labels. */
async function withQuota(
  name: string,
  gpus: number,
  nodeLabels: Readonly<Record<string, string>> = {},
): Promise<string> {
  const namespace = await cluster.namespace(name);
  const flavor = Object.keys(nodeLabels).length === 0 ? "h200" : name;
  const objects = [
    { apiVersion: kueue, kind: "ResourceFlavor", metadata: { name: flavor }, spec: { nodeLabels } },
    {
      apiVersion: kueue,
      kind: "ClusterQueue",
      metadata: { name },
      spec: {
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
        preemption: { withinClusterQueue: "LowerPriority" },
        resourceGroups: [
          {
            coveredResources: ["nvidia.com/gpu", "cpu", "memory", "ephemeral-storage"],
            flavors: [
              {
                name: flavor,
                resources: [
                  { name: "nvidia.com/gpu", nominalQuota: gpus },
                  { name: "cpu", nominalQuota: 10_000 },
                  { name: "memory", nominalQuota: "100Ti" },
                  { name: "ephemeral-storage", nominalQuota: "100Ti" },
                ],
              },
            ],
          },
        ],
      },
    },
    {
      apiVersion: kueue,
      kind: "LocalQueue",
      metadata: { name: "team", namespace },
      spec: { clusterQueue: name },
    },
  ];
  await applyDocuments(
    cluster.controlPlane,
    objects.map((object) => stringify(object)),
  );
  return namespace;
}

const flash = { variant: "MiMo-V2-Flash", hardware: "H200", scheduling: { queue: "team" } };
const pro = { variant: "MiMo-V2.5-Pro", hardware: "H200", scheduling: { queue: "team" } };

const workloadList = z.object({
  items: z.array(z.object({ metadata: z.object({ name: z.string(), uid: z.string() }) })),
});
const workloads = async (namespace: string) =>
  workloadList.parse(await callApi(cluster.controlPlane, `/apis/${kueue}/namespaces/${namespace}/workloads`))
    .items;

/** Waits until it says that its quota is taken, in Kueue's words. */
async function waitsForQuota(namespace: string, name: string): Promise<void> {
  await cluster.condition(namespace, name, "Ready", "False", "Queued");
  const { message } = await cluster.condition(namespace, name, "PlacementReady", "False", "Queued");
  expect(message).toMatch(/queue team: .*insufficient unused quota for nvidia\.com\/gpu/);
  const group = (await cluster.status(namespace, name)).groups?.[0];
  expect(group).toMatchObject({
    state: "Queued",
    message: expect.stringContaining("insufficient unused quota"),
  });
}

test.each([
  ["of one node", flash, 8],
  ["of two nodes", pro, 16],
] as const)(
  "of two groups %s with quota for one, the other waits and starts when the first is suspended",
  async (_, spec, gpus) => {
    const namespace = await withQuota(`queue-${gpus}`, gpus);
    await cluster.apply(namespace, "first", spec);
    await cluster.becomesReady(namespace, "first");
    await cluster.apply(namespace, "second", spec);
    await waitsForQuota(namespace, "second");
    expect((await cluster.pods(namespace)).filter((pod) => pod.spec.nodeName !== undefined)).toHaveLength(
      gpus / 8,
    );

    await cluster.apply(namespace, "first", { ...spec, suspend: true });
    await cluster.becomesReady(namespace, "second");
    await cluster.condition(namespace, "first", "Ready", "False", "Suspended");
    await eventually("nothing of the suspended one is left", async () => {
      const pods = await cluster.pods(namespace);
      return pods.every(({ metadata }) => metadata.name.startsWith("second")) ? true : undefined;
    });
  },
);

test("a group goes to the nodes that its queue's flavor names, and says when they are too few", async () => {
  const labels = { "example.com/pool": "reserved" };
  const patch = (node: string) =>
    callApi(cluster.controlPlane, `/api/v1/nodes/${node}`, {
      method: "PATCH",
      body: { metadata: { labels } },
      contentType: "application/merge-patch+json",
    });
  await patch("h200-3");
  const namespace = await withQuota("flavor", 16, labels);
  await cluster.apply(namespace, "pro", pro);
  const { message } = await cluster.condition(namespace, "pro", "PlacementReady", "False", "NotEnoughNodes");
  expect(message).toContain(
    "needs 2 nodes with 8 free NVIDIA-H200 with example.com/pool=reserved, as its queue says; 1 has them",
  );
  await patch("h200-5");
  await cluster.becomesReady(namespace, "pro");
  const nodes = (await cluster.pods(namespace)).map(({ spec }) => spec.nodeName);
  expect(nodes.sort()).toEqual(["h200-3", "h200-5"]);
});

test("a group that lost a rank is rebuilt within its quota, though another waits for it", async () => {
  const namespace = await withQuota("rebuild", 16);
  await cluster.apply(namespace, "pro", pro);
  await cluster.becomesReady(namespace, "pro");
  const [workload] = await workloads(namespace);
  await cluster.apply(namespace, "other", pro);
  await waitsForQuota(namespace, "other");
  const before = new Set((await cluster.pods(namespace)).map(({ metadata }) => metadata.uid));

  const path = `/api/v1/namespaces/${namespace}/pods/pro-0-1`;
  await callApi(cluster.controlPlane, path, { method: "DELETE", body: { gracePeriodSeconds: 0 } });
  await eventually("both ranks are new", async () => {
    const ranks = (await cluster.pods(namespace)).filter(({ metadata }) => metadata.name.startsWith("pro-"));
    return ranks.length === 2 && ranks.every(({ metadata }) => !before.has(metadata.uid)) ? true : undefined;
  });
  await cluster.becomesReady(namespace, "pro");
  expect((await workloads(namespace)).map(({ metadata }) => metadata)).toContainEqual(workload?.metadata);
  await waitsForQuota(namespace, "other");
});

test("a new revision takes the place of the old one in the queue", async () => {
  const namespace = await withQuota("revision", 16);
  await cluster.apply(namespace, "pro", pro);
  await cluster.becomesReady(namespace, "pro");
  await cluster.apply(namespace, "pro", { ...pro, resources: { cpu: 32 } });
  await cluster.condition(namespace, "pro", "Ready", "True", "Ready");
  const { updatedReplicas } = await cluster.status(namespace, "pro");
  expect(updatedReplicas).toBe(1);
});

test("a group whose quota is taken back says why, and comes back", async () => {
  const namespace = await withQuota("preempted", 16);
  await cluster.apply(namespace, "low", pro);
  await cluster.becomesReady(namespace, "low");
  const high = { ...pro, podTemplate: { labels: { "kueue.x-k8s.io/priority-class": "high" } } };
  await cluster.apply(namespace, "high", high);
  await cluster.becomesReady(namespace, "high");
  await cluster.condition(namespace, "low", "Ready", "False", "Queued");
  const lost = (await cluster.status(namespace, "low")).groups?.[0]?.lastFailure;
  expect(lost?.message).toMatch(/[Pp]reempted/);

  await callApi(
    cluster.controlPlane,
    `/apis/mimo.dev/v1alpha1/namespaces/${namespace}/mimodeployments/high`,
    {
      method: "DELETE",
    },
  );
  await cluster.becomesReady(namespace, "low");
});

test("nothing stays behind when a deployment is deleted", async () => {
  const namespace = await withQuota("deleted", 32);
  await cluster.apply(namespace, "pro", { ...pro, replicas: 2 });
  await cluster.becomesReady(namespace, "pro");
  await cluster.clear();
  await eventually("Kueue's Workloads are gone", async () =>
    (await workloads(namespace)).length === 0 ? true : undefined,
  );
});
