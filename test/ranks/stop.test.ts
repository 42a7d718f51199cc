import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "../controlplane/api.ts";
import { deploymentsPath } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { pro, type RankCluster, ranks, startRankCluster } from "./cluster.ts";
import { generate } from "./generation.ts";
import type { PodWorker } from "./pod-worker.ts";

let cluster: RankCluster;
let namespace = "";
let count = 0;
beforeAll(async () => {
  cluster = await startRankCluster();
});
afterAll(() => cluster?.stop());
afterEach(() => cluster.clear(namespace));

async function formed(runtime: string): Promise<readonly [PodWorker, PodWorker]> {
  count += 1;
  namespace = `stops-${count}`;
  await cluster.deploy(namespace, { ...pro, runtime });
  return await cluster.whole(namespace);
}

const ended = (pod: PodWorker): Promise<true> =>
  eventually(`${pod.pod().metadata.name} has ended`, async () =>
    cluster.kubelet.pods(namespace).includes(pod) ? undefined : true,
  );
const health = async ({ address }: PodWorker): Promise<number> =>
  (await fetch(`http://${address}:30000/health`)).status;
const remove = (path: string): Promise<unknown> => callApi(cluster.controlPlane, path, { method: "DELETE" });

/** Ways to end a group whose ranks are well. */
const stops = [
  {
    stop: "a rollout",
    ask: (spec: object) => cluster.change(namespace, { ...spec, contextLength: 65_536 }),
    deletesRank0: true,
    isReplaced: true,
  },
  {
    stop: "scaling to zero",
    ask: (spec: object) => cluster.change(namespace, { ...spec, replicas: 0 }),
    deletesRank0: true,
    isReplaced: false,
  },
  {
    stop: "a deletion of rank 1 by hand",
    ask: () => remove(`/api/v1/namespaces/${namespace}/pods/pro-0-1`),
    deletesRank0: true,
    isReplaced: true,
  },
  {
    stop: "a deletion of the deployment",
    ask: () => remove(deploymentsPath(namespace, "pro")),
    // The garbage collector deletes all pods, each with its whole grace.
    deletesRank0: false,
    isReplaced: false,
  },
];

/** Ranks above 0 ignored SIGTERM before SGLang 0.5.21; since then they leave when rank 0 has finished. */
const runtimes = [
  { runtime: "day0", rank1Exits: 137 },
  { runtime: "v0.5.23", rank1Exits: 0 },
];

describe.each(runtimes)("on $runtime", { timeout: 90_000 }, ({ runtime, rank1Exits }) => {
  test.each(stops)(
    "$stop lets rank 0 finish its request, and then rank 1 goes soon",
    async ({ ask, deletesRank0, isReplaced }) => {
      const [leader, other] = await formed(runtime);
      const request = generate(leader);
      await ask({ ...pro, runtime });

      await eventually("rank 0 has looked twice whether requests are left", async () =>
        leader.log().split("Remaining number of requests 1.").length > 2 ? true : undefined,
      );
      expect(await health(leader)).toBe(503);
      expect(other.pid()).toBeDefined();
      const before = await cluster.deletions(namespace);
      const rank0 = { pod: ranks[0], uid: leader.pod().metadata.uid, graceSeconds: undefined };
      expect(before).toEqual(deletesRank0 ? [rank0] : []);

      request.finish();
      expect(await request.status).toBe(200);
      await ended(leader);
      await ended(other);
      expect(leader.exitCode()).toBe(0);
      expect(other.exitCode()).toBe(rank1Exits);
      const after = (await cluster.deletions(namespace)).slice(before.length);
      const rank1 = { pod: ranks[1], uid: other.pod().metadata.uid, graceSeconds: 10 };
      // One that was told to stop along with rank 0 may leave with it, before anybody has to make it.
      if (after.length > 0 || rank1Exits !== 0) expect(after).toEqual([rank1]);
      if (isReplaced) await cluster.whole(namespace, [leader, other]);
    },
  );

  test("a rank whose group is broken is killed when its short grace is over", async () => {
    const [leader, other] = await formed(runtime);
    leader.kill("SIGKILL");
    await ended(other);
    expect(other.exitCode()).toBe(137);
    await cluster.whole(namespace, [leader, other]);
    expect((await cluster.deletions(namespace)).map(({ graceSeconds }) => graceSeconds)).toEqual([10, 10]);
  });
});
