import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "../controlplane/api.ts";
import { readAudit } from "../controlplane/audit.ts";
import { gpuNode, type NodeObject } from "../controlplane/nodes.ts";
import { deploymentsPath, startCluster, type TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { operatorUser, type RunningOperator, startOperator } from "./operator.ts";

/** `npm run test:placement` has more trials of the race, and waits until ranks are taken back. */
const full = process.env.PLACEMENT === "full";
const trials = full ? 50 : 4;

const racks = { a: 6, b: 6, c: 6 } as const;
const rackOf = (node: string | undefined): string | undefined => node?.split("-")[1];
const gb300 = Object.entries(racks).flatMap(([rack, size]) =>
  Array.from({ length: size }, (_, index) =>
    gpuNode({ kind: "GB300", name: `gb300-${rack}-${index}`, clique: rack }),
  ),
);
const h200 = ["0", "1", "2"].map((index) => gpuNode({ kind: "H200", name: `h200-${index}` }));
const oldDriver = gpuNode({
  kind: "H200",
  name: "h200-old",
  labels: { "nvidia.com/cuda.driver-version.full": "470.57.02" },
});
const tainted = (node: NodeObject): NodeObject => ({
  ...node,
  spec: { taints: [...node.spec.taints, { key: "team", value: "other", effect: "NoSchedule" }] },
});
const b200 = ["0", "1"].map((index) => tainted(gpuNode({ kind: "B200", name: `b200-${index}` })));

const onGb300 = { variant: "MiMo-V2.5-Pro", hardware: "GB300" } as const;
const others = "others";

let cluster: TestCluster;
let operator: RunningOperator;

beforeAll(async () => {
  cluster = await startCluster([...gb300, ...h200, oldDriver, ...b200]);
  operator = await startOperator(cluster.controlPlane);
  await cluster.namespace(others);
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});
afterEach(async () => {
  for (const { metadata } of await cluster.list(`/api/v1/namespaces/${others}/pods`))
    await free(metadata.name);
  await cluster.clear();
});

/** Somebody else's pod takes all GPUs of a node. */
async function occupy(node: string, gpus = 4): Promise<void> {
  const limits = { "nvidia.com/gpu": String(gpus) };
  const container = { name: "train", image: "train", resources: { limits } };
  const tolerations = [{ operator: "Exists" }];
  await callApi(cluster.controlPlane, `/api/v1/namespaces/${others}/pods`, {
    method: "POST",
    body: { metadata: { name: node }, spec: { nodeName: node, containers: [container], tolerations } },
  });
}
const free = (node: string): Promise<unknown> =>
  callApi(cluster.controlPlane, `/api/v1/namespaces/${others}/pods/${node}?gracePeriodSeconds=0`, {
    method: "DELETE",
  });
/** Leaves so many nodes of each rack free. */
async function leaveFree(left: Readonly<Record<string, number>>): Promise<void> {
  const busy = gb300.filter(({ metadata: { name } }) => {
    const [, rack = "", index] = name.split("-");
    return Number(index) >= (left[rack] ?? 0);
  });
  await Promise.all(busy.map(({ metadata }) => occupy(metadata.name)));
}
const patchNode = (name: string, body: object): Promise<unknown> =>
  callApi(cluster.controlPlane, `/api/v1/nodes/${name}`, {
    method: "PATCH",
    body,
    contentType: "application/merge-patch+json",
  });

const nodesOf = async (namespace: string, name: string): Promise<readonly string[]> =>
  (await cluster.status(namespace, name)).groups?.[0]?.nodes ?? [];
const gatesOf = async (namespace: string): Promise<number[]> =>
  (await cluster.pods(namespace)).map(({ spec }) => spec.schedulingGates?.length ?? 0);

describe("groups on NVLink between nodes", () => {
  test("land whole in the smallest domain that holds them; where none does, they wait with the numbers, and start when a node is free", async () => {
    const namespace = await cluster.namespace("racks");
    await leaveFree({ a: 3, b: 2, c: 1 });
    await cluster.apply(namespace, "first", onGb300);
    await cluster.becomesReady(namespace, "first");
    expect((await nodesOf(namespace, "first")).map(rackOf)).toEqual(["b", "b"]);
    await cluster.apply(namespace, "second", onGb300);
    await cluster.becomesReady(namespace, "second");
    expect((await nodesOf(namespace, "second")).map(rackOf)).toEqual(["a", "a"]);

    const waiting = await cluster.namespace("waiting");
    await cluster.apply(waiting, "third", onGb300);
    const { message } = await cluster.condition(
      waiting,
      "third",
      "PlacementReady",
      "False",
      "DomainsTooSmall",
    );
    expect(message).toBe(
      "0 of 2 ranks have a node; group 0: needs 2 nodes with 4 free NVIDIA-GB300 in one NVLink domain; free nodes per NVLink domain: a 1, c 1, b 0, 16 more are busy with 16 pods",
    );
    expect((await cluster.status(waiting, "third")).groups?.[0]?.state).toBe("Pending");
    expect(await gatesOf(waiting)).toEqual([1, 1]);

    await free("gb300-c-5");
    await cluster.becomesReady(waiting, "third");
    expect((await nodesOf(waiting, "third")).map(rackOf)).toEqual(["c", "c"]);
    expect(await secondsToOpen(waiting, "gb300-c-5")).toBeLessThan(5);
  });

  test("one of two that race for the last domain runs, the other waits whole, and follows when the first has gone", async () => {
    await leaveFree({ a: 0, b: 2, c: 1 });
    let trial = 0;
    const circumstances = fc.record({
      late: fc.boolean(),
      first: fc.constantFrom("one", "two"),
      milliseconds: fc.nat(150),
    });
    await fc.assert(
      fc.asyncProperty(circumstances, async ({ late, first, milliseconds }) => {
        trial += 1;
        const names = [first, first === "one" ? "two" : "one"];
        const namespaces = await Promise.all(names.map((name) => cluster.namespace(`race-${trial}-${name}`)));
        if (late) await occupy("gb300-b-0");
        await Promise.all(
          namespaces.map(async (namespace, index) => {
            await delay(index * milliseconds);
            await cluster.apply(namespace, "pro", onGb300);
          }),
        );
        const [one = "", two = ""] = namespaces;
        if (late) {
          for (const each of namespaces)
            await cluster.condition(each, "pro", "PlacementReady", "False", "DomainsTooSmall");
          await free("gb300-b-0");
        }
        const winner = await eventually("one is Ready", async () => {
          for (const each of namespaces)
            if ((await cluster.conditions(each, "pro")).Ready?.status === "True") return each;
          return undefined;
        });
        const loser = winner === one ? two : one;
        await cluster.condition(loser, "pro", "PlacementReady", "False", "NotEnoughNodes");
        expect((await nodesOf(winner, "pro")).map(rackOf)).toEqual(["b", "b"]);
        expect(await gatesOf(loser)).toEqual([1, 1]);
        await callApi(cluster.controlPlane, deploymentsPath(winner, "pro"), { method: "DELETE" });
        await cluster.becomesReady(loser, "pro");
        expect((await nodesOf(loser, "pro")).map(rackOf)).toEqual(["b", "b"]);
        await callApi(cluster.controlPlane, deploymentsPath(loser, "pro"), { method: "DELETE" });
        await eventually("all is free again", async () =>
          (await cluster.pods(loser)).length === 0 ? true : undefined,
        );
      }),
      { numRuns: trials, endOnFailure: true },
    );
  }, 600_000);

  test.runIf(full)("that the scheduler refuses are taken back together, and tried elsewhere", async () => {
    const namespace = await cluster.namespace("refused");
    await leaveFree({ a: 3, b: 2, c: 1 });
    // It is free by its GPUs, and has no CPU left.
    const status = { capacity: { cpu: "1" }, allocatable: { cpu: "1" } };
    await callApi(cluster.controlPlane, "/api/v1/nodes/gb300-b-1/status", {
      method: "PATCH",
      body: { status },
      contentType: "application/merge-patch+json",
    });
    await cluster.apply(namespace, "pro", onGb300);
    await eventually("it is tried in the smallest domain", async () =>
      (await nodesOf(namespace, "pro")).some((node) => rackOf(node) === "b") ? true : undefined,
    );
    await eventually(
      "it runs in the other",
      async () => ((await cluster.conditions(namespace, "pro")).Ready?.status === "True" ? true : undefined),
      120,
    );
    expect((await nodesOf(namespace, "pro")).map(rackOf)).toEqual(["a", "a"]);
    expect((await cluster.status(namespace, "pro")).groups?.[0]).not.toHaveProperty("restarts");
  });
});

/** From the deletion of somebody's pod to the first gate that opens after it. */
async function secondsToOpen(namespace: string, freed: string): Promise<number> {
  const records = await readAudit(
    cluster.controlPlane.auditLog,
    ({ resource, code, mutating }) => resource === "pods" && mutating && code < 300,
  );
  const deleted = records.findLast(({ verb, name }) => verb === "delete" && name === freed)?.time;
  const opened = records.find(
    ({ verb, namespace: where, user }) => verb === "patch" && where === namespace && user === operatorUser,
  )?.time;
  if (deleted === undefined || opened === undefined) throw new Error("the audit log has no such writes");
  return (opened.getTime() - deleted.getTime()) / 1000;
}

describe("groups on other nodes", () => {
  test("wait for as many free nodes as they need, and never run where the driver is too old", async () => {
    const namespace = await cluster.namespace("pool");
    await occupy("h200-0", 8);
    await patchNode("h200-1", { spec: { unschedulable: true } });
    await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "H200" });
    const { message } = await cluster.condition(namespace, "pro", "PlacementReady", "False");
    expect(message).toBe(
      "0 of 2 ranks have a node; group 0: needs 2 nodes with 8 free NVIDIA-H200; 1 has them, 1 more is busy with 1 pod, 1 more is cordoned, 1 more has driver 470.57.02, the image needs 525.60.13",
    );
    await patchNode("h200-1", { spec: { unschedulable: null } });
    await cluster.becomesReady(namespace, "pro");
    expect([...(await nodesOf(namespace, "pro"))].sort()).toEqual(["h200-1", "h200-2"]);
  });

  test("of one node say what is in the way before the pod is Pending without a word", async () => {
    const namespace = await cluster.namespace("taint");
    await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "B200" });
    const { message } = await cluster.condition(
      namespace,
      "pro",
      "PlacementReady",
      "False",
      "NotEnoughNodes",
    );
    expect(message).toContain(
      "needs 1 node with 8 free NVIDIA-B200; none has them, 2 have taints such as team:NoSchedule",
    );
    await patchNode("b200-0", { spec: { taints: [] } });
    await cluster.becomesReady(namespace, "pro");
    expect(await nodesOf(namespace, "pro")).toEqual(["b200-0"]);
  });

  test("that aren't there at all are named, with what is there", async () => {
    const namespace = await cluster.namespace("missing");
    await cluster.apply(namespace, "flash", { variant: "MiMo-V2-Flash", hardware: "H20" });
    const { message } = await cluster.condition(
      namespace,
      "flash",
      "PlacementReady",
      "False",
      "NodesMissing",
    );
    expect(message).toContain(
      "no node has nvidia.com/gpu.product=NVIDIA-H20; GPU nodes of this cluster: 18 NVIDIA-GB300, 2 NVIDIA-B200, 4 NVIDIA-H200",
    );
  });
});
