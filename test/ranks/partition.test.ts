import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../e2e/eventually.ts";
import { pro, type RankCluster, ranks, startRankCluster } from "./cluster.ts";

let cluster: RankCluster;
beforeAll(async () => {
  cluster = await startRankCluster();
});
afterAll(() => cluster?.stop());

/** What a rank says that looks for its formation, where the first one met. */
const looksFor = [
  () => "waits for 1 ranks at pro-0-0.pro-ranks.cut-off-0.svc.cluster.local:20000",
  (rank0: string) => `pro-0-0.pro-ranks.cut-off-1.svc.cluster.local:20000 at ${rank0}: connect ECONNREFUSED`,
] as const;

// Both at once: most of the time goes by until a silent node counts as lost.
test.concurrent.each([0, 1] as const)(
  "rank %i on a node that is cut off never joins the next formation, and ends when the node is back",
  async (rank) => {
    const namespace = `cut-off-${rank}`;
    await cluster.deploy(namespace, { ...pro, recovery: { nodeLossTimeoutSeconds: 10 } });
    const former = await cluster.whole(namespace);
    const stray = former[rank];
    const node = stray.pod().spec.nodeName ?? "";
    cluster.kubelet.partition(node);
    // Its kubelet starts it again without asking anybody, and from then on it is one more that wants to join.
    stray.kill("SIGKILL");

    const now = await cluster.whole(namespace, former, 90);
    const [group] = (await cluster.status(namespace)).groups ?? [];
    expect(group?.lastFailure).toMatchObject({ pod: ranks[rank], node, reason: "NodeLost" });
    expect(group?.nodes).not.toContain(node);
    // Nobody on the lost node could confirm an end, so its pod went by force.
    const deletions = await cluster.deletions(namespace);
    expect(deletions.toSorted((a, b) => a.pod.localeCompare(b.pod))).toEqual(
      former.map((pod, index) => ({
        pod: ranks[index],
        uid: pod.pod().metadata.uid,
        graceSeconds: index === rank ? 0 : 10,
      })),
    );

    const words = looksFor[rank](now[0].address);
    await eventually(`the stray rank says "${words}"`, async () => {
      if (stray.log().includes(words)) return true;
      throw new Error(stray.log().slice(-500));
    });
    expect(stray.restarts()).toBeGreaterThan(0);
    expect(stray.pid()).toBeDefined();
    expect(stray.log()).not.toContain("joined");
    expect(now[0].log()).toContain(":20040");
    expect(now[0].log()).not.toContain(stray.address);

    cluster.kubelet.heal(node);
    await eventually("the stray rank has ended", async () =>
      cluster.kubelet.pods(namespace).includes(stray) ? undefined : true,
    );
    expect(await cluster.whole(namespace)).toEqual(now);
    expect(await cluster.deletions(namespace)).toHaveLength(2);
  },
);
