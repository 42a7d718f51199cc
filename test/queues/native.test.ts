import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { z } from "zod";
import { gpuNode } from "../controlplane/nodes.ts";
import { startCluster, type TestCluster } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { type RunningOperator, startOperator } from "../e2e/operator.ts";
import { applyDocuments } from "./kueue.ts";

let cluster: TestCluster;
let operator: RunningOperator;

const gates = "--feature-gates=GenericWorkload=true,GangScheduling=true";

beforeAll(async () => {
  const nodes = [0, 1, 2].map((index) => gpuNode({ kind: "H200", name: `h200-${index}` }));
  cluster = await startCluster(nodes, {
    apiServerFlags: [gates, "--runtime-config=scheduling.k8s.io/v1alpha2=true"],
    controllerManagerFlags: [gates],
    schedulerFlags: [gates],
  });
  const platform = {
    apiVersion: "mimo.dev/v1alpha1",
    kind: "MiMoPlatform",
    metadata: { name: "default" },
    spec: { queue: { system: "Native" } },
  };
  await applyDocuments(cluster.controlPlane, [stringify(platform)]);
  operator = await startOperator(cluster.controlPlane);
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});

const conditions = z.object({
  conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
});

test("Kubernetes' scheduler places a group whole, and none of a group that doesn't fit", async () => {
  const namespace = await cluster.namespace("native");
  await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "H200" });
  await cluster.becomesReady(namespace, "pro");
  const gangs = `/apis/scheduling.k8s.io/v1alpha2/namespaces/${namespace}/podgroups`;
  const gang = await cluster.get(`${gangs}/pro-0-2`);
  expect(gang.spec).toMatchObject({ schedulingPolicy: { gang: { minCount: 2 } } });
  await eventually("the scheduler counts it as a gang", async () => {
    const { status } = await cluster.get(`${gangs}/pro-0-2`);
    const found = conditions.parse(status ?? {}).conditions.find(({ type }) => type === "PodGroupScheduled");
    return found?.status === "True" ? true : undefined;
  });

  await cluster.apply(namespace, "other", { variant: "MiMo-V2.5-Pro", hardware: "H200" });
  await cluster.condition(namespace, "other", "PlacementReady", "False");
  const placed = (await cluster.pods(namespace)).filter(({ spec }) => spec.nodeName !== undefined);
  expect(placed.map(({ metadata }) => metadata.name).sort()).toEqual(["pro-0-0", "pro-0-1"]);

  await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "H200", suspend: true });
  await cluster.becomesReady(namespace, "other");
});
