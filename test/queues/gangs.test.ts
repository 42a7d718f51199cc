import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { callApi } from "../controlplane/api.ts";
import { gpuNode } from "../controlplane/nodes.ts";
import { deploymentsPath, startCluster, type TestCluster } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { type RunningOperator, startOperator } from "../e2e/operator.ts";
import { type GangKinds, gangKinds } from "./gang-kinds.ts";
import { applyDocuments } from "./kueue.ts";

let kinds: GangKinds;
let cluster: TestCluster;
let operator: RunningOperator | undefined;

beforeAll(async () => {
  kinds = await gangKinds((line) => process.stderr.write(`${line}\n`));
  cluster = await startCluster([0, 1].map((index) => gpuNode({ kind: "H200", name: `h200-${index}` })));
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});
afterEach(async () => {
  await cluster.clear();
  await operator?.stop();
});

const pro = { variant: "MiMo-V2.5-Pro", hardware: "H200" };

async function setPlatform(queue: object): Promise<void> {
  const platform = {
    apiVersion: "mimo.dev/v1alpha1",
    kind: "MiMoPlatform",
    metadata: { name: "default" },
    spec: { queue },
  };
  await applyDocuments(cluster.controlPlane, [stringify(platform)]);
}

test.each([
  ["Volcano", "volcano", { system: "Volcano", name: "serving" }, "scheduling.volcano.sh/v1beta1"],
  ["scheduler-plugins", "schedulerPlugins", { system: "SchedulerPlugins" }, "scheduling.x-k8s.io/v1alpha1"],
] as const)(
  "the kinds of %s take a gang for each group, and its absence is told",
  async (_, kind, queue, apiVersion) => {
    await setPlatform(queue);
    operator = await startOperator(cluster.controlPlane);
    const namespace = await cluster.namespace(kind.toLowerCase());
    await cluster.apply(namespace, "pro", { ...pro, replicas: 2 });
    const stalled = await cluster.condition(namespace, "pro", "Stalled", "True", "QueueMissing");
    expect(stalled.message).toContain(`podgroups of ${apiVersion}: install`);
    expect(await cluster.pods(namespace)).toEqual([]);

    await applyDocuments(cluster.controlPlane, [kinds[kind]]);
    const gangs = `/apis/${apiVersion}/namespaces/${namespace}/podgroups`;
    await eventually("the kind is served", () => cluster.list(gangs), 120);
    // A running operator looks for new APIs every 5 minutes.
    await operator.stop();
    operator = await startOperator(cluster.controlPlane);
    await eventually("both gangs", async () => ((await cluster.list(gangs)).length === 2 ? true : undefined));
    const gang = await cluster.get(`${gangs}/pro-0`);
    expect(gang.spec).toMatchObject({
      minMember: 2,
      minResources: { "nvidia.com/gpu": "16" },
      ...("name" in queue && { queue: queue.name }),
    });
    const pods = await eventually("all ranks", async () => {
      const found = await cluster.pods(namespace);
      return found.length === 4 ? found : undefined;
    });
    for (const { metadata } of pods) {
      const named = { ...metadata.labels, ...metadata.annotations };
      const group = metadata.name.replace(/-\d$/, "");
      expect([named["scheduling.k8s.io/group-name"], named["scheduling.x-k8s.io/pod-group"]]).toContain(
        group,
      );
    }
    await cluster.condition(namespace, "pro", "Stalled", "False");

    await cluster.apply(namespace, "pro", { ...pro, replicas: 1 });
    await eventually("one gang", async () => ((await cluster.list(gangs)).length === 1 ? true : undefined));
    const left = (await cluster.list(gangs))[0];
    await callApi(cluster.controlPlane, `${gangs}/${left?.metadata.name}`, {
      method: "PATCH",
      body: { spec: { minMember: 1 } },
      contentType: "application/merge-patch+json",
    });
    await eventually("its minimum is set right", async () => {
      const [mended] = await cluster.list(gangs);
      expect(mended?.spec).toMatchObject({ minMember: 2 });
      return true;
    });
    await callApi(cluster.controlPlane, deploymentsPath(namespace, "pro"), { method: "DELETE" });
    // The garbage collector looks for new kinds every 30 s.
    await eventually(
      "no gang",
      async () => ((await cluster.list(gangs)).length === 0 ? true : undefined),
      90,
    );
  },
);
