import { describe, expect, test } from "vitest";
import { deploymentSpec } from "../../../crds/deployment.ts";
import type { PlatformSpec } from "../../../crds/platform.ts";
import { planDeployment } from "../../../synth/plan.ts";

const plan = (scheduling: object | undefined, platform: PlatformSpec | undefined) =>
  planDeployment(
    {
      name: "pro",
      namespace: "team-a",
      spec: deploymentSpec.parse({ variant: "MiMo-V2.5-Pro", hardware: "H200", scheduling }),
    },
    platform,
  );

function accepted(scheduling: object | undefined, platform: PlatformSpec | undefined) {
  const result = plan(scheduling, platform);
  if (!result.accepted) throw new Error(JSON.stringify(result.refusals));
  return result.plan;
}

describe("the queue of a deployment", () => {
  test("is none where nobody names one", () => {
    expect(accepted(undefined, undefined).queue).toBeUndefined();
    expect(accepted(undefined, { queue: { system: "Kueue" } }).queue).toBeUndefined();
    expect(accepted(undefined, { queue: { system: "KAI" } }).placement.schedulerName).toBeUndefined();
  });

  test("is its own choice before the platform's", () => {
    const queue = { system: "Kueue", name: "serving", topologyKey: "example.com/rack" } as const;
    expect(accepted(undefined, { queue }).queue).toEqual(queue);
    expect(accepted({ queue: "team" }, { queue }).queue).toEqual({ ...queue, name: "team" });
  });

  test.each([
    ["Kueue", undefined],
    ["Volcano", "volcano"],
    ["KAI", "kai-scheduler"],
  ] as const)("of %s leads to the scheduler %s", (system, schedulerName) => {
    const found = accepted({ queue: "team" }, { queue: { system } });
    expect(found.placement.schedulerName).toBe(schedulerName);
    expect(found.queue).toEqual({ system, name: "team" });
  });

  test("may be the system's default with Volcano, and a scheduler may have another name", () => {
    const found = accepted(undefined, { queue: { system: "Volcano", schedulerName: "gangs" } });
    expect(found.queue).toEqual({ system: "Volcano" });
    expect(found.placement.schedulerName).toBe("gangs");
  });

  test("leaves the request's scheduler alone with Kueue, which has none", () => {
    const found = accepted({ queue: "team", schedulerName: "gpu" }, { queue: { system: "Kueue" } });
    expect(found.placement.schedulerName).toBe("gpu");
  });

  test.each([
    ["QueueSystemMissing", "MiMoPlatform queue.system", { queue: "team" }, undefined],
    ["QueueUnsupported", "has no queues", { queue: "team" }, { queue: { system: "SchedulerPlugins" } }],
    ["SchedulerConflict", "needs volcano", { schedulerName: "gpu" }, { queue: { system: "Volcano" } }],
  ] as const)("is refused with %s", (code, words, scheduling, platform) => {
    const result = plan(scheduling, platform);
    expect(result).toMatchObject({
      accepted: false,
      refusals: [{ code, message: expect.stringContaining(words) }],
    });
  });
});
