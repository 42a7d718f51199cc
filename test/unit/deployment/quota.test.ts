import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decide } from "../../../operator/deployment/decide.ts";
import { gpuQuotaOf, quotaRoom } from "../../../operator/deployment/quota.ts";
import { observed } from "./world.ts";

const quota = (status: object, spec: { scopes?: string[] } = {}) =>
  gpuQuotaOf({
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: "gpus", namespace: "team-a", uid: "q", resourceVersion: "1" },
    spec,
    status,
  });
const gpus = (number: string) => ({ "requests.nvidia.com/gpu": number });

describe("a ResourceQuota", () => {
  test("counts GPUs where it speaks of them, of all pods", () => {
    expect(quota({ hard: gpus("32"), used: gpus("8") })).toEqual({ name: "gpus", hard: 32, used: 8 });
    expect(quota({ hard: { cpu: "4" }, used: { cpu: "1" } })).toBeUndefined();
    expect(quota({ hard: gpus("32"), used: gpus("8") }, { scopes: ["BestEffort"] })).toBeUndefined();
    expect(quota({})).toBeUndefined();
  });
});

describe("room in the quotas of a namespace", () => {
  test("is for whole groups only, and never for more than are wanted", () => {
    const amount = fc.nat(200);
    const quotas = fc.array(fc.record({ name: fc.constant("q"), hard: amount, used: amount }), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(
        quotas,
        fc.nat(20),
        fc.integer({ min: 1, max: 32 }),
        fc.nat(64),
        (all, wanted, size, promised) => {
          const { groups, shortage } = quotaRoom(all, wanted, size, promised);
          expect(groups).toBeLessThanOrEqual(wanted);
          expect(groups).toBeGreaterThanOrEqual(0);
          const fits = (count: number) =>
            all.every(({ hard, used }) => used + promised + count * size <= hard);
          if (groups > 0) expect(fits(groups)).toBe(true);
          if (groups < wanted) expect(fits(groups + 1)).toBe(false);
          expect(shortage === undefined).toBe(groups === wanted);
        },
      ),
    );
  });
});

test("a deployment that its namespace has no GPUs for makes no group and says so with the numbers", () => {
  const spec = { variant: "MiMo-V2-Flash", hardware: "H200", replicas: 3 };
  const quotas = [{ name: "mimo-gpus", hard: 16, used: 4 }];
  const { stages, shortage } = decide({ ...observed({ spec }), gpuQuotas: quotas });
  const made = stages.flat().filter((step) => step.do === "create" && step.resource.kind === "StatefulSet");
  expect(made).toHaveLength(1);
  expect(shortage).toBe(
    "2 of the wanted serving groups would need 8 GPUs each; ResourceQuota mimo-gpus allows the namespace 16, of which 4 are taken. Raise the ResourceQuota or scale something else down",
  );
});
