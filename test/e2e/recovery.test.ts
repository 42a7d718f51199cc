import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "../controlplane/api.ts";
import { inject } from "../controlplane/faults.ts";
import { failNode } from "../controlplane/node-failure.ts";
import { deploymentsPath, startCluster, type TestCluster } from "./cluster.ts";
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

  test("does not keep a deleted deployment's ranks", async () => {
    const namespace = await cluster.namespace("deleted");
    await cluster.apply(namespace, "pro", {
      variant: "MiMo-V2.5-Pro",
      hardware: "H200",
      recovery: { nodeLossTimeoutSeconds: 10 },
    });
    await cluster.becomesReady(namespace, "pro");
    await failNode(cluster.controlPlane, (await cluster.pods(namespace))[0]?.spec.nodeName ?? "");
    await callApi(cluster.controlPlane, deploymentsPath(namespace, "pro"), {
      method: "DELETE",
      body: { propagationPolicy: "Foreground" },
    });
    await eventually("no pod is left", async () =>
      (await cluster.pods(namespace)).length === 0 ? true : undefined,
    );
  }, 180_000);
});

describe("a group that fails again and again", () => {
  test("is given up with the reason, holds no GPU, and tries again when asked", async () => {
    const namespace = await cluster.namespace("given-up");
    await cluster.apply(namespace, "gb", {
      variant: "MiMo-V2.5-Pro",
      hardware: "GB300",
      recovery: { maxRestarts: 0 },
    });
    await cluster.becomesReady(namespace, "gb");
    await inject(cluster.controlPlane, "container restart", { namespace, name: "gb-0-0" });
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
