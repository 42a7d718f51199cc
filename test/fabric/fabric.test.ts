import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { gpuNode } from "../controlplane/nodes.ts";
import { startCluster, type TestCluster } from "../e2e/cluster.ts";
import { type Operators, operatorsOf } from "../faults/operators.ts";
import { type FaultProxy, startProxy } from "../faults/proxy.ts";
import { excess } from "../lifecycle/deeds.ts";
import { type Kills, killAtWrites } from "./kills.ts";
import { nvidiaDriver } from "./nvidia.ts";
import { type Order, orders } from "./order.ts";
import { stories } from "./stories.ts";

/** As many as a ResourceSlice may have. */
const channels = 128;
const nodes = [0, 1, 2, 3, 4, 5, 6, 7].map((index) =>
  gpuNode({ kind: "GB300", name: `gpu-${index}`, gpus: 4 * channels }),
);
let cluster: TestCluster;
let proxy: FaultProxy;
let operators: Operators;
let kills: Kills;
let inOrder: ReadonlyMap<string, Order>;

beforeAll(async () => {
  cluster = await startCluster(nodes, {}, await nvidiaDriver(channels));
  proxy = await startProxy(cluster.controlPlane);
  operators = operatorsOf(cluster.controlPlane);
  kills = await killAtWrites({ cluster, proxy, operators }, stories);
  inOrder = await orders(cluster.controlPlane);
});
afterAll(async () => {
  await operators?.stop();
  await proxy?.close();
  await cluster?.stop();
});

const domain = z.looseObject({
  metadata: z.object({ finalizers: z.array(z.string()) }),
  status: z.object({ status: z.string() }),
});

describe("beside NVIDIA's own controller of ComputeDomains", () => {
  test("groups run on channels of its claim templates, and it calls their domains Ready", async () => {
    const path = "/apis/resource.nvidia.com/v1beta1/namespaces/form-calm/computedomains";
    const domains = (await cluster.list(path)).map((each) => domain.parse(each));
    expect(domains).toHaveLength(2);
    for (const { metadata, status } of domains) {
      expect(metadata.finalizers).toEqual(["resource.nvidia.com/computeDomain"]);
      expect(status.status).toBe("Ready");
    }
    expect((await cluster.status("form-calm", "pro")).readyReplicas).toBe(2);
    expect(inOrder.get("form-calm")).toEqual({ wrong: [], made: 2, removed: 0, templates: 2 });
    expect(inOrder.get("delete-calm")).toEqual({ wrong: [], made: 1, removed: 1, templates: 1 });
  });

  test.each(stories)(
    "$name: an operator killed at any write ends as if nothing had happened, in the same order",
    (story) => {
      const { calm, lanes, outcome, deeds } = kills;
      const { end, deeds: calmDeeds } = calm.get(story) ?? {};
      const own = lanes.filter((lane) => lane.story === story);
      expect(own.length).toBeGreaterThan(0);
      // The garbage collector deletes groups or pods, too: either may be first.
      const raced = ["delete", "foreground"].includes(story.name);
      for (const { namespace, where } of own) {
        expect.soft(outcome.get(namespace) ?? {}, where).toEqual(end);
        expect.soft(inOrder.get(namespace)?.wrong, where).toEqual([]);
        const did = deeds.get(namespace);
        if (did === undefined || calmDeeds === undefined) throw new Error(`nothing was done in ${namespace}`);
        expect
          .soft({ more: raced ? [] : excess(did, calmDeeds), half: did.halfOpened }, where)
          .toEqual({ more: [], half: [] });
      }
    },
  );

  test("leaves nothing behind where everything was deleted", async () => {
    const gone = kills.lanes.filter(({ story }) => ["delete", "foreground"].includes(story.name));
    for (const { namespace } of gone) {
      const templates = `/apis/resource.k8s.io/v1/namespaces/${namespace}/resourceclaimtemplates`;
      expect(await cluster.list(templates), namespace).toEqual([]);
    }
    console.info(kills.table);
  });
});
