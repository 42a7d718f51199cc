import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gpuNode } from "../controlplane/nodes.ts";
import { startCluster, type TestCluster } from "../e2e/cluster.ts";
import { excess } from "./deeds.ts";
import { type Kills, killAtWrites } from "./kills.ts";
import { type Operators, operatorsOf } from "./operators.ts";
import { startWriteProxy, type WriteProxy } from "./proxy.ts";
import { stories } from "./stories.ts";

/** `npm run test:lifecycle` cuts at every write; `make test` at every so many. */
const stride = process.env.LIFECYCLE === "full" ? 1 : 5;

const nodes = [0, 1, 2, 3].map((index) => gpuNode({ kind: "H20", name: `gpu-${index}`, gpus: 4096 }));
let cluster: TestCluster;
let proxy: WriteProxy;
let operators: Operators;

let kills: Kills;

beforeAll(async () => {
  cluster = await startCluster(nodes);
  proxy = await startWriteProxy(cluster.controlPlane);
  operators = operatorsOf(cluster.controlPlane);
  kills = await killAtWrites({ cluster, proxy, operators }, stories, stride);
});
afterAll(async () => {
  await operators?.stop();
  await proxy?.close();
  await cluster?.stop();
});

describe("an operator that is killed at any of its writes", () => {
  test.each(stories)("$name ends as if nothing had happened", (story) => {
    const { calm, lanes, outcome, deeds } = kills;
    const { end, writes, deeds: calmDeeds } = calm.get(story) ?? {};
    const own = lanes.filter((lane) => lane.story === story);
    expect(own.length).toBeGreaterThan(0);
    for (const { namespace, cut } of own) {
      const where = `killed ${cut?.side} write ${cut?.write}, ${writes?.[(cut?.write ?? 0) - 1]}`;
      expect.soft(outcome.get(namespace) ?? {}, where).toEqual(end);
      const did = deeds.get(namespace);
      if (did === undefined || calmDeeds === undefined) throw new Error(`nothing was done in ${namespace}`);
      expect
        .soft({ more: excess(did, calmDeeds), twice: did.deletedTwice, half: did.halfOpened }, where)
        .toEqual({ more: [], twice: [], half: [] });
    }
  });

  test("was killed where it was meant to be", () => {
    const missed = kills.lanes.filter(({ namespace }) => !proxy.isReached(namespace));
    console.info(kills.table);
    expect(missed.map(({ namespace }) => namespace)).toEqual([]);
  });
});
