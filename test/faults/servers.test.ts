import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { askApi, callApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { deploymentsPath } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { deedsByNamespace, excess } from "../lifecycle/deeds.ts";
import { deploymentName, pro } from "../lifecycle/stories.ts";
import { type CalmStage, repeated, startCalmStage } from "./calm.ts";
import { readLease } from "./operators.ts";
import { isFull, points, seed, seeded } from "./scope.ts";
import { type SecondServer, startSecondServer } from "./second-server.ts";
import { stories } from "./stories.ts";
import { areReady, rest, sweep, tellDisturbed, workers } from "./tell.ts";

let stage: CalmStage;
let second: SecondServer;

beforeAll(async () => {
  stage = await startCalmStage();
  second = await startSecondServer(stage.cluster.controlPlane);
});
afterAll(async () => {
  await second?.stop();
  await stage?.stop();
});

const copies = isFull ? 5 : 1;
const lanesFor = (name: string) =>
  Array.from({ length: copies }, (_, copy) =>
    stories.map((story) => ({ story, namespace: `${story.name}-${name}-${copy}` })),
  ).flat();
type Lanes = ReturnType<typeof lanesFor>;

/**
 * Tells all stories, with trouble as soon as they have begun, and compares.
 * @param isDown requests go unanswered meanwhile, and are made again
 */
async function endsWell(
  lanes: Lanes,
  trouble: () => Promise<unknown>,
  { isDown = false } = {},
): Promise<void> {
  const from = new Date();
  const outcome = await tellDisturbed(stage, lanes, {
    endOf: ({ story }) => stage.calm(story).end,
    onceHit: trouble,
  });
  const deeds = await deedsByNamespace(stage.cluster.controlPlane, from);
  for (const { story, namespace } of lanes) {
    expect.soft(outcome.get(namespace) ?? {}, namespace).toEqual(stage.calm(story).end);
    const did = deeds.get(namespace);
    const more = did && excess(did, stage.calm(story).deeds);
    const writes = stage.proxy.arrivals(namespace).map(({ what }) => what);
    const again = isDown ? [] : repeated(writes, stage.calm(story).writes);
    expect.soft({ more, again, half: did?.halfOpened }, namespace).toEqual({ more: [], again: [], half: [] });
  }
  expect(await rest(stage)).toEqual([]);
  await sweep(stage, lanes);
}

describe("an API server that answers from the past", () => {
  test(`again and again, amid every story, costs nothing twice (seed ${seed})`, async ({ task }) => {
    const { proxy, operators } = stage;
    await operators.stop();
    proxy.readsFrom = second.server;
    await operators.start({ server: proxy.server, workers });
    const random = seeded(seed);
    const pauses = isFull ? 20 : 5;
    await endsWell(lanesFor("stale"), async () => {
      for (let pause = 0; pause < pauses; pause += 1) {
        second.pause();
        await delay(500 + 3000 * random());
        second.resume();
        await delay(500 * random());
      }
    });
    points(task, 7, pauses);
  });

  test.runIf(isFull)(
    "for longer than a cache waits for its own writes: nothing is done on what it shows",
    async ({ task }) => {
      await endsWell(lanesFor("long"), async () => {
        second.pause();
        await delay(45_000);
        second.resume();
      });
      points(task, 7);
    },
  );

  test("while an operator starts: it waits, and what was made anew under an old name stays", async ({
    task,
  }) => {
    const { cluster, proxy, operators } = stage;
    const namespace = await cluster.namespace("recreated");
    await cluster.apply(namespace, deploymentName, { ...pro, replicas: 2 });
    await areReady(cluster, new Set([namespace]));
    const { metadata: old } = await cluster.get(deploymentsPath(namespace, deploymentName));
    await operators.stop();
    second.pause();
    await callApi(cluster.controlPlane, deploymentsPath(namespace, deploymentName), { method: "DELETE" });
    await eventually("it is gone", async () =>
      (await cluster.pods(namespace)).length === 0 ? true : undefined,
    );
    await cluster.apply(namespace, deploymentName, pro);

    const before = proxy.all.length;
    proxy.readsFrom = second.server;
    const operator = await operators.start({ server: proxy.server, workers });
    await eventually("its lists fail", async () => {
      const log = await operator.log();
      return log.split("can't follow the API server").length > 9 ? true : undefined;
    });
    expect(proxy.all.slice(before)).toEqual([]);
    second.resume();
    await areReady(cluster, new Set([namespace]));
    const { metadata } = await cluster.get(deploymentsPath(namespace, deploymentName));
    expect(metadata.uid).not.toBe(old.uid);
    const deletions = proxy.all.slice(before).filter(({ what }) => what.startsWith("DELETE"));
    expect(deletions).toEqual([]);
    points(task, 6);
    points(task, 8);
    await sweep(stage, [{ namespace }]);
  });
});

const revisionShape = z.object({ header: z.object({ revision: z.string() }) });
const etcd = async ({ etcd }: ControlPlane, path: string, body: object): Promise<unknown> =>
  (await fetch(`${etcd}/v3/kv/${path}`, { method: "POST", body: JSON.stringify(body) })).json();

/** Forgets every version of the past, as a real etcd does every five minutes. */
async function compact(controlPlane: ControlPlane): Promise<void> {
  const { header } = revisionShape.parse(await etcd(controlPlane, "range", { key: "AA==" }));
  await etcd(controlPlane, "compaction", { revision: header.revision, physical: true });
}

describe("a part of the control plane that crashes", () => {
  const crash = async (name: string): Promise<void> => {
    const { cluster } = stage;
    await cluster.controlPlane.components.restart(name);
    await eventually("the API server is back", async () =>
      (await askApi(cluster.controlPlane, "/readyz")).status === 200 ? true : undefined,
    );
    const { renewTime } = await readLease(cluster.controlPlane);
    await eventually("the lease is renewed, or taken by the next", async () =>
      (await readLease(cluster.controlPlane)).renewTime === renewTime ? undefined : true,
    );
  };

  const crashes = [
    { component: "kube-apiserver", how: "restarts", isCompacted: false },
    { component: "etcd", how: "restarts", isCompacted: false },
    { component: "kube-apiserver", how: "restarts after a compaction", isCompacted: true },
  ];
  test.for(isFull ? crashes : crashes.slice(2))(
    "$component $how amid every story: all end as if nothing had happened",
    async ({ component, isCompacted }, { task }) => {
      stage.proxy.readsFrom = undefined;
      const trouble = async (): Promise<void> => {
        if (isCompacted) await compact(stage.cluster.controlPlane);
        await crash(component);
      };
      await endsWell(lanesFor(`${component}-${isCompacted}`), trouble, { isDown: true });
      points(task, 14);
    },
  );
});
