import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { callApi } from "../controlplane/api.ts";
import { deploymentsPath, startCluster, type TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { type RunningOperator, startOperator } from "./operator.ts";

let cluster: TestCluster;
let operator: RunningOperator;

const platforms = "/apis/mimo.dev/v1alpha1/mimoplatforms";
const flash = { variant: "MiMo-V2-Flash", hardware: "H200" };

beforeAll(async () => {
  cluster = await startCluster();
  operator = await startOperator(cluster.controlPlane);
  const body = {
    apiVersion: "mimo.dev/v1alpha1",
    kind: "MiMoPlatform",
    metadata: { name: "default" },
    spec: {},
  };
  const path = `${platforms}/default?fieldManager=user&force=true`;
  const contentType = "application/apply-patch+yaml";
  await callApi(cluster.controlPlane, path, { method: "PATCH", body, contentType });
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});
afterEach(() => cluster.clear());

/** Another registry is another image, so it changes every plan. */
const useRegistry = (registry: string, updates: object | null): Promise<unknown> =>
  callApi(cluster.controlPlane, `${platforms}/default`, {
    method: "PATCH",
    body: { spec: { images: { registry }, updates } },
    contentType: "application/merge-patch+json",
  });

const annotate = (namespace: string, name: string, annotations: Record<string, string>): Promise<unknown> =>
  callApi(cluster.controlPlane, deploymentsPath(namespace, name), {
    method: "PATCH",
    body: { metadata: { annotations } },
    contentType: "application/merge-patch+json",
  });

const imageOf = async (namespace: string, name: string): Promise<string> =>
  (await cluster.status(namespace, name)).plan?.image ?? "";

const told = z.object({
  status: z.object({
    conditions: z.array(z.object({ type: z.string(), reason: z.string() })).default([]),
  }),
});

/** What the audit log has of deployments that took up a second plan, and of when they were told to serve it, in order. */
async function adoptions(namespace: string): Promise<string[]> {
  const seen = new Set<string>();
  const adopting = new Set<string>();
  return (await cluster.operatorWrites(namespace)).flatMap(({ verb, resource, name, requestObject }) => {
    const [deployment = ""] = name.split("-");
    if (resource === "controllerrevisions" && verb === "create") {
      if (seen.has(deployment)) adopting.add(deployment);
      seen.add(deployment);
      return adopting.has(deployment) ? [`${deployment} adopts`] : [];
    }
    if (resource !== "mimodeployments" || !adopting.has(deployment)) return [];
    const update = told.parse(requestObject).status.conditions.find(({ type }) => type === "UpdateAvailable");
    return update?.reason === "UpToDate" ? [`${deployment} serves`] : [];
  });
}

test("an edit of the platform touches nothing that runs: it is said to be available, in words, and adopted when asked", async () => {
  const namespace = await cluster.namespace("adopt");
  await cluster.apply(namespace, "flash", flash);
  await cluster.becomesReady(namespace, "flash");
  const before = await cluster.pods(namespace);

  await useRegistry("one.example.com", null);
  const available = await cluster.condition(namespace, "flash", "UpdateAvailable", "True");
  expect(available.message).toMatch(/^image lmsysorg\/sglang:\S+ → one\.example\.com\/lmsysorg\/sglang/);
  expect((await cluster.pods(namespace)).map(({ metadata }) => metadata.uid)).toEqual(
    before.map(({ metadata }) => metadata.uid),
  );

  const revision = /mimo\.dev\/adopt to (\S+) to/.exec(available.message)?.[1] ?? "";
  await annotate(namespace, "flash", { "mimo.dev/adopt": revision });
  await cluster.condition(namespace, "flash", "UpdateAvailable", "False", "UpToDate");
  const { plan, readyReplicas } = await cluster.status(namespace, "flash");
  expect({ revision: plan?.revision, readyReplicas }).toEqual({ revision, readyReplicas: 1 });
});

describe("a platform's wave", () => {
  const names = ["a", "b", "c", "d"];

  async function serve(namespace: string, registry: string, paused?: string): Promise<void> {
    await useRegistry(registry, null);
    for (const name of names) {
      const rollout = name === paused ? { paused: true } : {};
      await cluster.apply(namespace, name, { ...flash, rollout });
    }
    await Promise.all(names.map((name) => cluster.becomesReady(namespace, name)));
  }

  test("brings the update to one deployment after the other, and passes over a paused one", async () => {
    const namespace = await cluster.namespace("wave");
    await serve(namespace, "two.example.com", "b");
    const before = await imageOf(namespace, "b");
    await useRegistry("three.example.com", { adoption: "Wave" });
    for (const name of ["a", "c", "d"])
      await eventually(`${name} has it`, async () =>
        (await imageOf(namespace, name)).startsWith("three.") ? true : undefined,
      );
    for (const name of ["a", "c", "d"])
      await cluster.condition(namespace, name, "UpdateAvailable", "False", "UpToDate");
    await cluster.condition(namespace, "b", "UpdateAvailable", "True", "PlanChanged");
    const order = (await adoptions(namespace)).filter((each, index, all) => each !== all[index - 1]);
    expect([...order].sort()).toEqual(
      ["a", "c", "d"].flatMap((name) => [`${name} adopts`, `${name} serves`]),
    );
    expect(order.map((each) => each.split(" ")[1])).toEqual(
      order.map((_, i) => (i % 2 ? "serves" : "adopts")),
    );
    expect(await imageOf(namespace, "b")).toBe(before);
  });

  test("stops at the first that fails, and goes on with a plan that is mended", async () => {
    const namespace = await cluster.namespace("halt");
    await serve(namespace, "four.example.com");
    const before = new Map(
      await Promise.all(names.map(async (name) => [name, await imageOf(namespace, name)] as const)),
    );
    await useRegistry("unreachable.example.com", { adoption: "Wave" });
    const failed = await eventually("one has failed", async () => {
      for (const name of names) {
        const { UpdateAvailable } = await cluster.conditions(namespace, name);
        if (UpdateAvailable?.reason === "AdoptionFailed") return { name, ...UpdateAvailable };
      }
      return undefined;
    });
    expect(failed.message).toContain("ImagePullBackOff");
    for (const name of names.filter((name) => name !== failed.name)) {
      await cluster.condition(namespace, name, "UpdateAvailable", "True", "WaitsForItsTurn");
      expect(await imageOf(namespace, name)).toBe(before.get(name));
    }

    await useRegistry("five.example.com", { adoption: "Wave" });
    for (const name of names)
      await cluster.condition(namespace, name, "UpdateAvailable", "False", "UpToDate");
    expect(await Promise.all(names.map((name) => imageOf(namespace, name)))).toEqual(
      names.map(() => expect.stringMatching(/^five\./)),
    );
  });
});
