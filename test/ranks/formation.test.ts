import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { kubectl } from "../controlplane/kubectl.ts";
import { type RankCluster, startRankCluster } from "./cluster.ts";
import type { PodWorker } from "./pod-worker.ts";

const namespace = "forms";
const meetingPlace = `pro-0-0.pro-ranks.${namespace}.svc.cluster.local`;

let cluster: RankCluster;
beforeAll(async () => {
  cluster = await startRankCluster();
});
afterAll(() => cluster?.stop());
afterEach(() => cluster.clear(namespace));

/** What the kernel says a process was started with. */
function ofProcess(pod: PodWorker, what: "cmdline" | "environ"): string[] {
  return readFileSync(`/proc/${pod.pid()}/${what}`, "utf8").split("\0").slice(0, -1);
}

test("two ranks find each other by the name and the port that they were given, load and serve", async () => {
  await cluster.deploy(namespace);
  const [leader, other] = await cluster.whole(namespace);

  for (const [rank, pod] of [leader, other].entries()) {
    const argv = ofProcess(pod, "cmdline");
    const given = (flag: string): string | undefined => argv[argv.indexOf(flag) + 1];
    expect(given("--nnodes")).toBe("2");
    expect(given("--node-rank")).toBe(String(rank));
    expect(given("--dist-init-addr")).toBe(`${meetingPlace}:20000`);
    // Nothing is left for a shell to fill in: there is none.
    expect(argv.join(" ")).not.toContain("$");
    expect(ofProcess(pod, "environ")).toContain(`NODE_RANK=${rank}`);
    expect(ofProcess(pod, "environ")).toContain("NCCL_MNNVL_ENABLE=1");
    expect(pod.restarts()).toBe(0);
  }
  expect(leader.log()).toContain(`waits for 1 ranks at ${meetingPlace}:20000`);
  expect(leader.log()).toContain(`rank 1 of ${other.address} joined`);
  expect(other.log()).toContain("Dummy health check server started");

  const [group] = (await cluster.status(namespace)).groups ?? [];
  expect(group).toMatchObject({ state: "Ready", readyRanks: 2, formation: 1, containerRestarts: [0, 0] });
  expect(group?.lastFailure).toBeUndefined();
  expect(await cluster.deletions(namespace)).toEqual([]);
  const logs = await kubectl(cluster.controlPlane, ["logs", "-n", namespace, "pro-0-0", "--tail=1"]);
  expect(logs.stdout).toContain("The server is fired up and ready to roll!");
});
