import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { callApi } from "../controlplane/api.ts";
import { kubectl } from "../controlplane/kubectl.ts";
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

const flash = { variant: "MiMo-V2-Flash", hardware: "H200" };
/** The annotation keeps the simulated kubelet from starting these pods. */
const badImage = {
  image: { tag: "no-such-tag" },
  podTemplate: { annotations: { "kwok.mimo.dev/hold": "Pending" } },
};
const annotate = (
  namespace: string,
  name: string,
  annotations: Record<string, string | null>,
): Promise<unknown> =>
  callApi(cluster.controlPlane, deploymentsPath(namespace, name), {
    method: "PATCH",
    body: { metadata: { annotations } },
    contentType: "application/merge-patch+json",
  });

const eventsShape = z.object({ items: z.array(z.object({ reason: z.string(), message: z.string() })) });
const events = async (namespace: string, reason: string): Promise<string[]> =>
  eventsShape
    .parse(await callApi(cluster.controlPlane, `/api/v1/namespaces/${namespace}/events`))
    .items.filter((event) => event.reason === reason)
    .map(({ message }) => message);

/** Makes every pod of a revision look like one whose image can't be pulled, for three minutes already. */
async function cantBePulled(namespace: string, isMeant: (image: string) => boolean): Promise<void> {
  const shape = z.object({
    items: z.array(
      z.object({
        metadata: z.object({ name: z.string() }),
        spec: z.object({ containers: z.array(z.object({ image: z.string() })) }),
      }),
    ),
  });
  await eventually("a pod with the bad image", async () => {
    const { items } = shape.parse(
      await callApi(cluster.controlPlane, `/api/v1/namespaces/${namespace}/pods`),
    );
    const bad = items.find(({ spec }) => isMeant(spec.containers[0]?.image ?? ""));
    if (bad === undefined) return undefined;
    const since = new Date(Date.now() - 180_000).toISOString();
    const waiting = { reason: "ImagePullBackOff", message: "Back-off pulling image" };
    await callApi(cluster.controlPlane, `/api/v1/namespaces/${namespace}/pods/${bad.metadata.name}/status`, {
      method: "PATCH",
      body: {
        status: {
          phase: "Pending",
          conditions: [
            { type: "Ready", status: "False" },
            { type: "PodScheduled", status: "True", lastTransitionTime: since },
          ],
          containerStatuses: [
            {
              name: "sglang",
              image: "x",
              imageID: "",
              ready: false,
              restartCount: 0,
              state: { waiting, running: null },
            },
          ],
        },
      },
      contentType: "application/strategic-merge-patch+json",
    });
    return true;
  });
}

describe("a rollout", () => {
  test("goes group by group, never with fewer serving than allowed, and its Events say what changed", async () => {
    const namespace = await cluster.namespace("by-group");
    await cluster.apply(namespace, "flash", { ...flash, replicas: 3 });
    await cluster.becomesReady(namespace, "flash");
    await cluster.apply(namespace, "flash", {
      ...flash,
      replicas: 3,
      contextLength: 65_536,
      server: { servedModelName: "m" },
    });
    const seen: number[] = [];
    await eventually("all groups are updated", async () => {
      const status = await cluster.status(namespace, "flash");
      seen.push(status.readyReplicas ?? 0);
      return status.observedGeneration === 2 && status.updatedReplicas === 3 && status.readyReplicas === 3
        ? true
        : undefined;
    });
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(2);
    const told = await eventually("the Events", async () => {
      const messages = await events(namespace, "GroupUpdating");
      return messages.length === 3 ? messages : undefined;
    });
    expect(told[0]).toMatch(
      /option --context-length 262144 → 65536; option --served-model-name MiMo-V2-Flash → m/,
    );
  });

  test("that surges makes a new group first, and it stays", async () => {
    const namespace = await cluster.namespace("surge");
    const rollout = { maxUnavailable: 0, maxSurge: 1 };
    await cluster.apply(namespace, "flash", { ...flash, rollout });
    await cluster.becomesReady(namespace, "flash");
    await cluster.apply(namespace, "flash", { ...flash, rollout, contextLength: 65_536 });
    await cluster.becomesReady(namespace, "flash");
    expect((await cluster.status(namespace, "flash")).groups?.map(({ id }) => id)).toEqual([1]);
  });

  test("that is paused begins nothing, and one with a partition leaves the rest", async () => {
    const namespace = await cluster.namespace("held");
    await cluster.apply(namespace, "flash", { ...flash, replicas: 2 });
    await cluster.becomesReady(namespace, "flash");
    const first = (await cluster.status(namespace, "flash")).plan?.revision;
    await cluster.apply(namespace, "flash", {
      ...flash,
      replicas: 2,
      contextLength: 65_536,
      rollout: { paused: true },
    });
    expect((await cluster.condition(namespace, "flash", "Ready", "False")).reason).toBe("Updating");
    expect((await cluster.status(namespace, "flash")).groups?.map(({ revision }) => revision)).toEqual([
      first,
      first,
    ]);

    await cluster.apply(namespace, "flash", {
      ...flash,
      replicas: 2,
      contextLength: 65_536,
      rollout: { partition: 1 },
    });
    const groups = await eventually("one group is updated", async () => {
      const status = await cluster.status(namespace, "flash");
      return status.updatedReplicas === 1 && status.readyReplicas === 2 ? status.groups : undefined;
    });
    expect(groups?.[0]?.revision).toBe(first);
  });

  test("with an image that can't be pulled stops after the first group; a corrected request goes on without help", async () => {
    const namespace = await cluster.namespace("bad-image");
    await cluster.apply(namespace, "flash", { ...flash, replicas: 2 });
    await cluster.becomesReady(namespace, "flash");
    await cluster.apply(namespace, "flash", { ...flash, replicas: 2, ...badImage });
    await cantBePulled(namespace, (image) => image.includes("no-such-tag"));
    const stalled = await cluster.condition(namespace, "flash", "Stalled", "True");
    expect(stalled.reason).toBe("RolloutStalled");
    expect(stalled.message).toContain("ImagePullBackOff");
    expect((await cluster.status(namespace, "flash")).readyReplicas).toBe(1);
    expect((await cluster.conditions(namespace, "flash")).Available?.status).toBe("True");

    await cluster.apply(namespace, "flash", { ...flash, replicas: 2 });
    await cluster.becomesReady(namespace, "flash");
  });

  test("that fails rolls back when asked to, and says so", async () => {
    const namespace = await cluster.namespace("rollback");
    const rollout = { onFailure: "Rollback" };
    await cluster.apply(namespace, "flash", { ...flash, replicas: 2, rollout });
    await cluster.becomesReady(namespace, "flash");
    const good = (await cluster.status(namespace, "flash")).plan?.revision;
    await cluster.apply(namespace, "flash", { ...flash, replicas: 2, rollout, ...badImage });
    await cantBePulled(namespace, (image) => image.includes("no-such-tag"));
    const stalled = await cluster.condition(namespace, "flash", "Stalled", "True", "RolledBack");
    expect(stalled.message).toContain("ImagePullBackOff");
    await eventually("both groups serve the good revision again", async () => {
      const { plan, readyReplicas, groups } = await cluster.status(namespace, "flash");
      return plan?.revision === good &&
        readyReplicas === 2 &&
        groups?.every(({ revision }) => revision === good)
        ? true
        : undefined;
    });
  });

  test("is undone by an annotation, for as long as the request is the same", async () => {
    const namespace = await cluster.namespace("undo");
    await cluster.apply(namespace, "flash", flash);
    await cluster.becomesReady(namespace, "flash");
    const first = (await cluster.status(namespace, "flash")).plan?.revision;
    await cluster.apply(namespace, "flash", { ...flash, contextLength: 65_536 });
    await cluster.becomesReady(namespace, "flash");
    const second = (await cluster.status(namespace, "flash")).plan?.revision;
    await annotate(namespace, "flash", { "mimo.dev/rollback": `${second}:${first}` });
    await eventually("the first revision serves", async () => {
      const { plan, readyReplicas, groups } = await cluster.status(namespace, "flash");
      return plan?.revision === first && readyReplicas === 1 && groups?.[0]?.revision === first
        ? true
        : undefined;
    });
    await cluster.apply(namespace, "flash", { ...flash, contextLength: 32_768 });
    await eventually("the new request serves", async () => {
      const { plan, readyReplicas } = await cluster.status(namespace, "flash");
      return plan?.revision !== first && plan?.revision !== second && readyReplicas === 1 ? true : undefined;
    });
  });

  test("from two nodes to one keeps the other group serving", async () => {
    const namespace = await cluster.namespace("nodes");
    await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "H20", replicas: 2 });
    await cluster.becomesReady(namespace, "pro");
    await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "B200", replicas: 2 });
    const seen: number[] = [];
    await eventually("both groups run on one node each", async () => {
      const { readyReplicas = 0, groups } = await cluster.status(namespace, "pro");
      seen.push(readyReplicas);
      return readyReplicas === 2 &&
        groups?.every(({ ranks, nodes }) => ranks === 1 && nodes[0]?.startsWith("b200"))
        ? true
        : undefined;
    });
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(1);
  });
});

describe("suspend", () => {
  test.each(["spec", "annotation"])("by %s frees the GPUs, keeps the object, and resumes", async (how) => {
    const namespace = await cluster.namespace(`suspend-${how}`);
    await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "GB300" });
    await cluster.becomesReady(namespace, "pro");
    const set = async (on: boolean): Promise<void> => {
      if (how === "annotation")
        await annotate(namespace, "pro", { "mimo.dev/suspended": on ? "true" : null });
      else
        await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "GB300", suspend: on });
    };
    await set(true);
    await eventually("no pod is left", async () =>
      (await cluster.pods(namespace)).length === 0 ? true : undefined,
    );
    await eventually("status says so", async () => {
      const ready = (await cluster.conditions(namespace, "pro")).Ready;
      return ready?.reason === "Suspended" && ready.message === "all GPUs are free" ? true : undefined;
    });
    await set(false);
    await cluster.becomesReady(namespace, "pro");
  });
});

describe("kubectl drain", () => {
  test("moves a group, waits while another is down, and is not held up by one that only loads", async () => {
    const namespace = await cluster.namespace("drain");
    await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "H100", replicas: 2 });
    await cluster.becomesReady(namespace, "pro");
    const node = await eventually(
      "status names the node",
      async () => (await cluster.status(namespace, "pro")).groups?.[0]?.nodes[0] || undefined,
    );
    const drained = await kubectl(cluster.controlPlane, [
      "drain",
      node,
      "--ignore-daemonsets",
      "--delete-emptydir-data",
      "--timeout=40s",
    ]);
    expect(drained.code, drained.stderr).toBe(0);
    await cluster.becomesReady(namespace, "pro");
    const { groups = [] } = await cluster.status(namespace, "pro");
    expect(groups.flatMap(({ nodes }) => nodes)).not.toContain(node);
    // One group was down at a time: the other's ranks are those of the beginning.
    expect(groups.filter(({ formation }) => formation === 1)).toHaveLength(1);
    await kubectl(cluster.controlPlane, ["uncordon", node]);
  }, 90_000);
});
