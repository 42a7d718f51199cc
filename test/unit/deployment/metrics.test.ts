import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import type { Group } from "../../../operator/deployment/groups.ts";
import { createDeploymentMetrics, type DeploymentMetrics } from "../../../operator/deployment/metrics.ts";
import type { Deployment } from "../../../operator/deployment/objects.ts";
import { cleanRecovery } from "../../../operator/deployment/recovery.ts";
import { createFakeClock } from "../runtime/fake-clock.ts";
import type { PodState } from "./fixtures.ts";
import { groupOn, name, namespace, now, observed, revisionOf, type Scene, statusOf } from "./world.ts";

const pro = { variant: "MiMo-V2.5-Pro", hardware: "GB300" };
const revision = revisionOf(pro);
const groupOf = (state: Partial<PodState>): Group =>
  groupOn(revision, 0, [
    { uid: "a", ...state },
    { uid: "b", ...state },
  ]);

const deployment = (scene: Scene): Deployment => ({
  apiVersion: "mimo.dev/v1alpha1",
  kind: "MiMoDeployment",
  metadata: { name, namespace, uid: "owner", resourceVersion: "1", generation: 1 },
  spec: scene.spec,
  status: statusOf(scene),
});

interface Setup {
  readonly metrics: DeploymentMetrics;
  /** Series of the operator's own metrics that are not 0. */
  readonly scrape: () => Promise<string[]>;
}

function setUp(deployments: readonly Deployment[] = [], leading = true): Setup {
  const registry = new Registry();
  const metrics = createDeploymentMetrics({
    registry,
    deployments: { list: () => [...deployments] },
    isLeading: () => leading,
    clock: createFakeClock(),
  });
  const scrape = async (): Promise<string[]> =>
    (await registry.metrics()).split("\n").filter((line) => line.startsWith("mimo_") && !line.endsWith(" 0"));
  return { metrics, scrape };
}

describe("what is scraped of a deployment", () => {
  const own = 'namespace="team-a",deployment="pro"';
  const ready: Scene = { spec: pro, revisions: [revision], groups: [groupOf({ ready: true })] };
  const gated: Scene = { spec: pro, revisions: [revision], groups: [groupOf({ gated: true })] };

  test("is what it asked for, what it holds and how it stands", async () => {
    const series = await setUp([deployment(ready)]).scrape();
    expect(series).toEqual(
      expect.arrayContaining([
        `mimo_deployment_info{${own},variant="MiMo-V2.5-Pro",hardware="GB300",runtime="day0"} 1`,
        `mimo_deployment_groups_wanted{${own}} 1`,
        `mimo_deployment_groups{${own},state="Ready"} 1`,
        `mimo_deployment_gpus{${own},hardware="GB300",state="held"} 8`,
        `mimo_deployment_condition{${own},condition="Ready",reason="Ready"} 1`,
        `mimo_deployment_condition{${own},condition="MemoryFit",reason="Fits"} 1`,
        `mimo_deployment_context_tokens{${own}} 1048576`,
        `mimo_deployment_startup_budget_seconds{${own}} ${revision.plan.startupSeconds}`,
      ]),
    );
  });

  test("says of ranks without nodes how many GPUs they wait for", async () => {
    const series = await setUp([deployment(gated)]).scrape();
    expect(series).toContain(`mimo_deployment_gpus{${own},hardware="GB300",state="waiting"} 8`);
    expect(series).toContain(`mimo_deployment_groups{${own},state="Forming"} 1`);
  });

  test("wants no groups while it is suspended", async () => {
    const series = await setUp([deployment({ ...ready, spec: { ...pro, suspend: true } })]).scrape();
    expect(series.filter((line) => line.startsWith("mimo_deployment_groups_wanted"))).toEqual([]);
  });

  test("is nothing on an operator that doesn't lead, nor once it is gone", async () => {
    expect(await setUp([deployment(ready)], false).scrape()).toEqual([]);
    const deployments = [deployment(ready)];
    const { scrape } = setUp(deployments);
    expect(await scrape()).not.toEqual([]);
    deployments.pop();
    expect(await scrape()).toEqual([]);
  });
});

describe("what happened to groups", () => {
  const look = (metrics: DeploymentMetrics, group: Group, seconds = 0): void =>
    metrics.looked("team-a/pro", {
      ...observed({ spec: pro, revisions: [revision], groups: [group] }),
      now: now + seconds * 1000,
    });
  const lossOf = (reason: string, time: string): Group => ({
    ...groupOf({ gated: true }),
    recovery: {
      ...cleanRecovery(revision.hash),
      lastFailure: { pod: "pro-0-1", node: "node-1", reason, message: "", time },
    },
  });
  const losses = async ({ scrape }: Setup): Promise<string[]> =>
    (await scrape()).flatMap(
      (line) => /losses_total.*reason="(\w+)"\} (.*)/.exec(line)?.slice(1).join(" ") ?? [],
    );

  test("every loss counts once, by a reason of a closed list", async () => {
    const setup = setUp();
    look(setup.metrics, groupOf({ ready: true }));
    look(setup.metrics, lossOf("OOMKilled", "2026-11-22T12:00:01Z"));
    look(setup.metrics, lossOf("OOMKilled", "2026-11-22T12:00:01Z"));
    look(setup.metrics, lossOf("OOMKilled", "2026-11-22T12:00:09Z"));
    look(setup.metrics, lossOf("MadeUpByAContainer", "2026-11-22T12:00:12Z"));
    expect(await losses(setup)).toEqual(["OOMKilled 2", "Other 1"]);
    setup.metrics.forgot("team-a/pro");
    expect(await losses(setup)).toEqual([]);
  });

  test("a loss from before this operator's time doesn't count again", async () => {
    const setup = setUp();
    look(setup.metrics, lossOf("Error", "2026-11-22T11:00:00Z"));
    expect(await losses(setup)).toEqual([]);
  });

  /** All ranks got their nodes at noon. */
  function placed(started: boolean, ready: boolean): Group {
    const group = groupOf({ ready });
    const scheduled = { type: "PodScheduled", status: "True", lastTransitionTime: "2026-11-22T12:00:00Z" };
    const pods = group.pods.map((pod) => {
      const { conditions = [], containerStatuses = [] } = pod?.status ?? {};
      const containers = containerStatuses.map((status) => ({ ...status, started }));
      return (
        pod && {
          ...pod,
          status: { ...pod.status, conditions: [...conditions, scheduled], containerStatuses: containers },
        }
      );
    });
    return { ...group, pods };
  }
  const starts = async ({ scrape }: Setup): Promise<string[]> =>
    (await scrape())
      .filter((line) => /time_to_ready_seconds_(sum|count)/.test(line))
      .map((line) => line.split(" ")[1] ?? "");

  test("a start is measured once, from nodes to Ready; a moment's unreadiness is none", async () => {
    const setup = setUp();
    look(setup.metrics, placed(false, false), 5);
    look(setup.metrics, placed(true, false), 80);
    look(setup.metrics, placed(true, true), 90);
    look(setup.metrics, placed(true, false), 5000);
    look(setup.metrics, placed(true, true), 5001);
    expect(await starts(setup)).toEqual(["90", "1"]);
  });

  test("a group that was Ready before this operator's time is no start", async () => {
    const setup = setUp();
    look(setup.metrics, placed(true, false), 5000);
    look(setup.metrics, placed(true, true), 5001);
    expect(await starts(setup)).toEqual([]);
  });
});
