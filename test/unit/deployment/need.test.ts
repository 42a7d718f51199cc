import { expect, test } from "vitest";
import { deploymentSpec } from "../../../crds/deployment.ts";
import { needOf } from "../../../operator/deployment/need.ts";
import type { Pod } from "../../../operator/deployment/objects.ts";
import { planDeployment } from "../../../synth/plan.ts";

const spec = deploymentSpec.parse({ variant: "MiMo-V2.5-Pro", hardware: "H200" });
const result = planDeployment({ name: "pro", namespace: "team-a", spec }, undefined);
if (!result.accepted) throw new Error("the pair is refused");
const { plan } = result;
const { nodeSelector, tolerations } = plan.placement;

const rank = (added: Readonly<Record<string, string>>): Pick<Pod, "spec"> => ({
  spec: { gpus: 8, nodeSelector: { ...nodeSelector, ...added } },
});

test("pods as they were rendered ask for no more than their plan", () => {
  const need = needOf(plan, [rank({}), rank({})]);
  expect(need).toEqual(needOf(plan));
  expect(need).toMatchObject({ nodeSelector, queueLabels: {}, tolerations });
});

test("labels that a queue gave to all ranks count, those in which they differ are its own choice", () => {
  const need = needOf(plan, [
    rank({ pool: "a", "kubernetes.io/hostname": "n1" }),
    rank({ pool: "a", "kubernetes.io/hostname": "n2" }),
  ]);
  expect(need.queueLabels).toEqual({ pool: "a" });
  expect(need.nodeSelector).toEqual({ ...nodeSelector, pool: "a" });
});

test("taints that a queue has the ranks tolerate keep them off no longer", () => {
  const reserved = { key: "reserved", operator: "Exists", effect: "NoSchedule" } as const;
  const first = { spec: { ...rank({}).spec, tolerations: [reserved] } };
  expect(needOf(plan, [first, first]).tolerations).toContainEqual(reserved);
});
