import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../e2e/eventually.ts";
import { type RankCluster, ranks, startRankCluster } from "./cluster.ts";

let cluster: RankCluster;
let namespace = "";
beforeAll(async () => {
  cluster = await startRankCluster();
});
afterAll(() => cluster?.stop());
afterEach(() => cluster.clear(namespace));

/** Where ranks are when one is killed: what holds both of them there, and what each then says. */
const phases = [
  { phase: "rendezvous", held: "rendezvous", words: ["waits before rendezvous", "waits before rendezvous"] },
  { phase: "loading", held: "load", words: ["waits before load", "waits before load"] },
  { phase: "serving", held: "nothing", words: ["ready to roll", "Dummy health check server started"] },
] as const;
const kills = phases.flatMap((each) => ([0, 1] as const).map((rank) => ({ ...each, rank })));

/** A kubelet's stamps are whole seconds: from the next on, an end is after every start so far. */
function nextSecond(): Promise<true> {
  const next = Math.floor(Date.now() / 1000) + 1;
  return eventually("the second is over", async () => (Date.now() / 1000 >= next ? true : undefined));
}

describe("kill -9 of a rank among its peers", () => {
  test.each(kills)(
    "rank $rank, $phase: both are rebuilt, once, and the status tells why",
    async ({ phase, held, words, rank }) => {
      namespace = `${phase}-${rank}`;
      cluster.hold(held);
      await cluster.deploy(namespace);
      const former = [
        await cluster.says(namespace, ranks[0], words[0]),
        await cluster.says(namespace, ranks[1], words[1]),
      ] as const;
      if (phase === "serving") await cluster.whole(namespace);
      await nextSecond();
      former[rank].kill("SIGKILL");

      const told = await eventually(
        "the loss is told",
        async () => (await cluster.status(namespace)).groups?.[0]?.lastFailure,
      );
      expect(told).toMatchObject({
        pod: ranks[rank],
        node: former[rank].pod().spec.nodeName,
        container: "sglang",
        exitCode: 137,
      });
      cluster.hold("nothing");
      await cluster.whole(namespace, former);
      const [group] = (await cluster.status(namespace)).groups ?? [];
      expect(group).toMatchObject({ formation: 2, restarts: 1, lastFailure: told });
      const deletions = await cluster.deletions(namespace);
      expect(deletions.toSorted((a, b) => a.pod.localeCompare(b.pod))).toEqual(
        former.map((pod, index) => ({ pod: ranks[index], uid: pod.pod().metadata.uid, graceSeconds: 10 })),
      );
    },
  );
});

describe("kill -9 of a rank before its peer has run", () => {
  const early = [
    { rank: 0, words: "waits for 1 ranks", containerRestarts: [1, 0] },
    { rank: 1, words: "ECONNREFUSED", containerRestarts: [0, 1] },
  ] as const;

  test.each(early)(
    "is no loss: rank $rank is started again in its pod and meets its peer",
    async ({ rank, words, containerRestarts }) => {
      namespace = `early-${rank}`;
      cluster.hold("pull", 1 - rank);
      await cluster.deploy(namespace);
      const first = await cluster.says(namespace, ranks[rank], words);
      first.kill("SIGKILL");
      await eventually("it waits again", async () =>
        first.restarts() === 1 && first.log().includes(words) ? true : undefined,
      );
      cluster.hold("nothing");

      expect((await cluster.whole(namespace))[rank].pod().metadata.uid).toBe(first.pod().metadata.uid);
      const [group] = (await cluster.status(namespace)).groups ?? [];
      expect(group).toMatchObject({ formation: 1, containerRestarts });
      expect(group?.lastFailure).toBeUndefined();
      expect(await cluster.deletions(namespace)).toEqual([]);
    },
  );
});
