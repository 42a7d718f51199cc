import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "../controlplane/api.ts";
import { failNode } from "../controlplane/node-failure.ts";
import { type PodShape, startCluster, type TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { type RunningOperator, startOperator } from "./operator.ts";

let cluster: TestCluster;
let operator: RunningOperator;

beforeAll(async () => {
  cluster = await startCluster();
  operator = await startOperator(cluster.controlPlane);
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});
afterEach(() => cluster.clear());

const strategic = "application/strategic-merge-patch+json";
const podPath = (namespace: string, name: string): string => `/api/v1/namespaces/${namespace}/pods/${name}`;
const patchStatus = (namespace: string, name: string, status: object): Promise<unknown> =>
  callApi(cluster.controlPlane, `${podPath(namespace, name)}/status`, {
    method: "PATCH",
    body: { status },
    contentType: strategic,
  });

/** What each fault does to one rank of a running group. */
const faults: Record<string, (namespace: string, pod: PodShape) => Promise<unknown>> = {
  "container restart": (namespace, { metadata: { name } }) => {
    const at = new Date().toISOString();
    const terminated = {
      exitCode: 137,
      reason: "OOMKilled",
      message: "CUDA out of memory",
      startedAt: at,
      finishedAt: at,
    };
    const container = {
      name: "sglang",
      image: "x",
      imageID: "",
      ready: true,
      restartCount: 1,
      lastState: { terminated },
    };
    return patchStatus(namespace, name, { containerStatuses: [container] });
  },
  "pod delete": (namespace, { metadata: { name } }) =>
    callApi(cluster.controlPlane, podPath(namespace, name), { method: "DELETE" }),
  "pod Failed": (namespace, { metadata: { name } }) =>
    patchStatus(namespace, name, {
      phase: "Failed",
      reason: "Evicted",
      message: "The node was low on memory",
    }),
  eviction: (namespace, { metadata: { name } }) =>
    callApi(cluster.controlPlane, `${podPath(namespace, name)}/eviction`, {
      method: "POST",
      body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } },
    }),
  "node deleted": (_, { spec }) =>
    callApi(cluster.controlPlane, `/api/v1/nodes/${spec.nodeName}`, { method: "DELETE" }),
};

/** Waits until no pod of before is left, all are Ready and in one formation, and returns them. */
const whole = (namespace: string, before: readonly PodShape[], ranks: number): Promise<PodShape[]> =>
  eventually("the group is whole again", async () => {
    const old = new Set(before.map(({ metadata }) => metadata.uid));
    const pods = await cluster.pods(namespace);
    const formations = new Set(pods.map(({ metadata }) => metadata.annotations["mimo.dev/formation"]));
    const ready = (await cluster.conditions(namespace, "pro")).Ready?.status === "True";
    const good =
      pods.length === ranks && formations.size === 1 && pods.every((pod) => !old.has(pod.metadata.uid));
    return good && ready ? pods : undefined;
  });

describe.each(Object.keys(faults))("%s", (fault) => {
  test.each([0, 1])(
    "of rank %i rebuilds the group once, keeps what waits at the gate, and tells why",
    async (rank) => {
      const namespace = await cluster.namespace(`${fault.replaceAll(" ", "-").toLowerCase()}-${rank}`);
      await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "H20" });
      await cluster.becomesReady(namespace, "pro");
      const before = await cluster.pods(namespace);
      const victim = before.find(({ metadata }) => metadata.name === `pro-0-${rank}`);
      if (victim === undefined) throw new Error("no such rank");
      await faults[fault]?.(namespace, victim);

      const after = await whole(namespace, before, 2);
      expect(new Set(after.map(({ metadata }) => metadata.annotations["mimo.dev/dist-port"])).size).toBe(1);
      const deletes = (await cluster.operatorWrites(namespace)).filter(
        ({ verb, resource }) => verb === "delete" && resource === "pods",
      );
      // The rank that was hit is replaced by the StatefulSet's controller, unless it still stands there.
      expect(deletes.length).toBeLessThanOrEqual(2);
      const [group] = (await cluster.status(namespace, "pro")).groups ?? [];
      expect(group?.lastFailure).toMatchObject({ pod: `pro-0-${rank}` });
      const reasons: Record<string, object> = {
        "container restart": {
          exitCode: 137,
          reason: "OOMKilled",
          message: "CUDA out of memory",
          node: victim.spec.nodeName,
        },
        "pod Failed": { reason: "Evicted", message: "The node was low on memory" },
        eviction: { reason: "EvictionByEvictionAPI" },
        "pod delete": { reason: "Deleted" },
      };
      expect(group?.lastFailure).toMatchObject(reasons[fault] ?? {});
    },
  );
});

describe("a node that does not answer", () => {
  test("loses its ranks by force after the timeout, and the group comes up elsewhere", async () => {
    const namespace = await cluster.namespace("unreachable");
    await cluster.apply(namespace, "pro", {
      variant: "MiMo-V2.5-Pro",
      hardware: "H100",
      recovery: { nodeLossTimeoutSeconds: 10 },
    });
    await cluster.becomesReady(namespace, "pro");
    const before = await cluster.pods(namespace);
    const node = before[1]?.spec.nodeName ?? "";
    await failNode(cluster.controlPlane, node);
    const after = await eventually(
      "the group is whole on other nodes",
      async () => {
        const pods = await cluster.pods(namespace);
        const old = new Set(before.map(({ metadata }) => metadata.uid));
        const ready = (await cluster.conditions(namespace, "pro")).Ready?.status === "True";
        return ready && pods.length === 2 && pods.every((pod) => !old.has(pod.metadata.uid))
          ? pods
          : undefined;
      },
      60,
    );
    expect(after.map(({ spec }) => spec.nodeName)).not.toContain(node);
    const [group] = (await cluster.status(namespace, "pro")).groups ?? [];
    expect(group?.lastFailure).toMatchObject({ reason: "NodeLost", node });
  }, 120_000);
});

describe("a group that fails again and again", () => {
  test("is given up with the reason, holds no GPU, and tries again when asked", async () => {
    const namespace = await cluster.namespace("given-up");
    await cluster.apply(namespace, "pro", {
      variant: "MiMo-V2.5-Pro",
      hardware: "B200",
      recovery: { maxRestarts: 0 },
    });
    await cluster.apply(namespace, "gb", {
      variant: "MiMo-V2.5-Pro",
      hardware: "GB300",
      recovery: { maxRestarts: 0 },
    });
    await cluster.becomesReady(namespace, "gb");
    const [rank0] = (await cluster.pods(namespace)).filter(({ metadata }) => metadata.name === "gb-0-0");
    if (rank0 === undefined) throw new Error("no rank 0");
    await faults["container restart"]?.(namespace, rank0);
    const stalled = await cluster.condition(namespace, "gb", "Stalled", "True");
    expect(stalled.message).toContain("lost gb-0-0 again: OOMKilled");
    const held = await eventually("all ranks wait at the gate", async () => {
      const pods = (await cluster.pods(namespace)).filter(({ metadata }) => metadata.name.startsWith("gb-"));
      return pods.length === 2 && pods.every(({ spec }) => spec.nodeName === undefined) ? pods : undefined;
    });
    expect(held).toHaveLength(2);
    await eventually("status says so", async () =>
      (await cluster.status(namespace, "gb")).groups?.[0]?.state === "GivenUp" ? true : undefined,
    );

    await callApi(
      cluster.controlPlane,
      `/apis/mimo.dev/v1alpha1/namespaces/${namespace}/mimodeployments/gb`,
      {
        method: "PATCH",
        body: { metadata: { annotations: { "mimo.dev/retry": "1" } } },
        contentType: "application/merge-patch+json",
      },
    );
    await cluster.becomesReady(namespace, "gb");
  });
});
