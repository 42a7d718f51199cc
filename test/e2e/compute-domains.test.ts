import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { askApi, callApi } from "../controlplane/api.ts";
import { readAudit } from "../controlplane/audit.ts";
import { installComputeDomains } from "../controlplane/compute-domains.ts";
import { kubectl } from "../controlplane/kubectl.ts";
import { gpuNode } from "../controlplane/nodes.ts";
import { deploymentsPath, startCluster, type TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { type RunningOperator, startOperator } from "./operator.ts";

const pro = { variant: "MiMo-V2.5-Pro", hardware: "GB300" } as const;
const crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/computedomains.resource.nvidia.com";
const domainsPath = (namespace: string): string =>
  `/apis/resource.nvidia.com/v1beta1/namespaces/${namespace}/computedomains`;

let cluster: TestCluster;
let operator: RunningOperator;

beforeAll(async () => {
  cluster = await startCluster(
    [0, 1, 2, 3, 4, 5].map((index) => gpuNode({ kind: "GB300", name: `gb300-${index}` })),
  );
  operator = await startOperator(cluster.controlPlane);
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});
afterEach(() => cluster.clear());

const domains = async (namespace: string): Promise<string[]> =>
  (await cluster.list(domainsPath(namespace))).map(({ metadata }) => metadata.name).sort();
const areGone = (what: string, namespace: string): Promise<true> =>
  eventually(what, async () => ((await domains(namespace)).length === 0 ? true : undefined));

/** The last pod of the group was gone when its ComputeDomain was deleted. */
async function lastPodBeforeDomain(namespace: string, group = "pro-0"): Promise<void> {
  const records = await readAudit(
    cluster.controlPlane.auditLog,
    (record) => record.namespace === namespace && record.verb === "delete" && record.code < 300,
  );
  const removals = records.filter(({ resource, name, user }) =>
    resource === "pods"
      ? user === "kwok" && name.startsWith(`${group}-`)
      : resource === "computedomains" && name === group,
  );
  // kwok often removes a pod twice.
  const order = removals
    .filter(({ name }, index) => removals.findIndex((each) => each.name === name) === index)
    .map(({ resource }) => resource);
  expect(order).toContain("computedomains");
  expect(order.indexOf("computedomains")).toBeGreaterThan(order.lastIndexOf("pods"));
}

const podClaims = z.object({
  spec: z.object({
    resourceClaims: z.array(z.object({ name: z.string(), resourceClaimTemplateName: z.string() })).optional(),
    containers: z.tuple([
      z.object({ resources: z.object({ claims: z.array(z.object({ name: z.string() })).optional() }) }),
    ]),
  }),
});

describe("a ComputeDomain", () => {
  test("is there for each group, before its pods are let in, and its pods have a claim to its channel", async () => {
    const namespace = await cluster.namespace("claims");
    await cluster.apply(namespace, "pro", { ...pro, replicas: 2 });
    await cluster.becomesReady(namespace, "pro");
    expect(await domains(namespace)).toEqual(["pro-0", "pro-1"]);
    for (const name of ["pro-0-0", "pro-1-1"]) {
      const pod = podClaims.parse(await cluster.get(`/api/v1/namespaces/${namespace}/pods/${name}`));
      const resourceClaimTemplateName = `${name.slice(0, 5)}-channel`;
      expect(pod.spec.resourceClaims).toEqual([
        { name: "compute-domain-channel", resourceClaimTemplateName },
      ]);
      expect(pod.spec.containers[0].resources.claims).toEqual([{ name: "compute-domain-channel" }]);
    }
    const writes = (await cluster.operatorWrites(namespace)).filter(({ subresource }) => subresource === "");
    const first = (verb: string, resource: string): number =>
      writes.findIndex((write) => write.verb === verb && write.resource === resource);
    const order = [
      first("patch", "mimodeployments"),
      first("create", "computedomains"),
      first("patch", "pods"),
    ];
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order).not.toContain(-1);

    await cluster.apply(namespace, "pro", { ...pro, replicas: 1 });
    await eventually("that of the second group goes", async () =>
      (await domains(namespace)).length === 1 ? true : undefined,
    );
    await lastPodBeforeDomain(namespace, "pro-1");
    await cluster.apply(namespace, "pro", { ...pro, replicas: 1, suspend: true });
    await areGone("that of a suspended group", namespace);
    await lastPodBeforeDomain(namespace);
  });

  test.each(["background", "foreground"])(
    "goes after the pods of a deployment deleted in the %s",
    async (cascade) => {
      const namespace = await cluster.namespace(cascade);
      await cluster.apply(namespace, "pro", pro);
      await cluster.becomesReady(namespace, "pro");
      const deleted = await kubectl(cluster.controlPlane, [
        ...["delete", "mimo", "pro", "-n", namespace, `--cascade=${cascade}`, "--timeout=60s"],
      ]);
      expect(deleted.stderr).toBe("");
      await areGone("its ComputeDomain", namespace);
      await lastPodBeforeDomain(namespace);
      expect(await cluster.pods(namespace)).toEqual([]);
    },
  );

  test("stays with orphaned ranks: a new deployment takes them over, and without one it goes when they do", async () => {
    const namespace = await cluster.namespace("orphans");
    await cluster.apply(namespace, "pro", pro);
    await cluster.becomesReady(namespace, "pro");
    const before = (await cluster.pods(namespace)).map(({ metadata }) => metadata.uid);
    const orphan = () =>
      kubectl(cluster.controlPlane, ["delete", "mimo", "pro", "-n", namespace, "--cascade=orphan"]);
    expect((await orphan()).stderr).toBe("");
    await cluster.apply(namespace, "pro", pro);
    await cluster.becomesReady(namespace, "pro");
    expect((await cluster.pods(namespace)).map(({ metadata }) => metadata.uid)).toEqual(before);
    const { metadata } = await cluster.get(deploymentsPath(namespace, "pro"));
    const [domain] = await cluster.list(domainsPath(namespace));
    expect(domain?.metadata.labels).toMatchObject({ "mimo.dev/owner-uid": metadata.uid });

    expect((await orphan()).stderr).toBe("");
    expect(await domains(namespace)).toEqual(["pro-0"]);
    await callApi(cluster.controlPlane, `/apis/apps/v1/namespaces/${namespace}/statefulsets/pro-0`, {
      method: "DELETE",
    });
    await areGone("its ComputeDomain", namespace);
    await lastPodBeforeDomain(namespace);
  });

  test("doesn't hold up a namespace that is deleted", async () => {
    const namespace = await cluster.namespace("whole");
    await cluster.apply(namespace, "pro", pro);
    await cluster.becomesReady(namespace, "pro");
    await callApi(cluster.controlPlane, `/api/v1/namespaces/${namespace}`, { method: "DELETE" });
    await eventually("it is gone", async () =>
      (await askApi(cluster.controlPlane, `/api/v1/namespaces/${namespace}`)).status === 404
        ? true
        : undefined,
    );
  });
});

describe("where the cluster serves no ComputeDomain", () => {
  test("groups that need one hold no GPU and say what to install, others run, and none is stuck", async () => {
    const namespace = await cluster.namespace("absent");
    await cluster.apply(namespace, "former", pro);
    await cluster.becomesReady(namespace, "former");
    await callApi(cluster.controlPlane, crd, { method: "DELETE" });
    await eventually("the API is gone", async () =>
      (await askApi(cluster.controlPlane, domainsPath(namespace))).status === 404 ? true : undefined,
    );
    await cluster.apply(namespace, "network", { ...pro, fabric: { mnnvl: "Off" } });
    await cluster.becomesReady(namespace, "network");
    await cluster.apply(namespace, "pro", pro);
    const { message } = await cluster.condition(
      namespace,
      "pro",
      "PlacementReady",
      "False",
      "ComputeDomainMissing",
    );
    expect(message).toContain("dra-driver-nvidia-gpu");
    expect(message).toContain("fabric.mnnvl: Off");
    const pods = (await cluster.pods(namespace)).filter(({ metadata }) => metadata.name.startsWith("pro-"));
    expect(pods.map(({ spec }) => [spec.schedulingGates?.length, spec.nodeName])).toEqual([
      [1, undefined],
      [1, undefined],
    ]);
    // Nothing of it is left to wait for.
    const deleted = await kubectl(cluster.controlPlane, [
      ...["delete", "mimo", "former", "-n", namespace, "--timeout=60s"],
    ]);
    expect(deleted.stderr).toBe("");

    await installComputeDomains(cluster.controlPlane);
    await cluster.becomesReady(namespace, "pro");
  });
});
