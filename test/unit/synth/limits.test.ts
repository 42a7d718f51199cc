import { describe, expect, it } from "vitest";
import { parseDeployment } from "../../../crds/parse.ts";
import { limitRefusals, limitRules } from "../../../synth/limits.ts";
import { beyondLimits } from "../../self-service/bypasses.ts";
import { limitedPlatform } from "../../self-service/platform.ts";
import { deployment } from "../../self-service/tenant.ts";

/** Left to the API server, which knows the namespace, and to the planner, which says it on any platform. */
const saidElsewhere = ["spec.hardware", "spec.model.hostPath.path", "spec.podTemplate.patches"];

const refusalsOf = (document: unknown): string[] => {
  const parsed = parseDeployment(document);
  if (!parsed.ok) return [];
  return limitRefusals(parsed.spec, limitedPlatform).map(({ field, message }) => `${field}: ${message}`);
};

describe("what a platform's limits refuse", () => {
  const creates = beyondLimits.filter(
    ({ input, told }) =>
      input !== undefined &&
      !saidElsewhere.some((field) => told.startsWith(field)) &&
      told.startsWith("spec."),
  );

  it.each(creates)("$title is refused by mimo plan in the words of the API server", ({ input, told }) => {
    expect(refusalsOf(input)).toEqual([expect.stringContaining(told)]);
  });

  it("is nothing of a request that keeps to them, and nothing at all without limits", () => {
    expect(refusalsOf(deployment("mine", { replicas: 2 }))).toEqual([]);
    const parsed = parseDeployment(deployment("mine", { replicas: 1000 }));
    expect(parsed.ok && limitRefusals(parsed.spec, {})).toEqual([]);
  });

  it("covers every rule of the admission policy but those", () => {
    const silent = limitRules.filter(({ refuse }) => refuse === undefined).map(({ field }) => field);
    expect(silent).toEqual(saidElsewhere);
    const tried = new Set(creates.map(({ told }) => told.split(": ")[0]));
    expect(limitRules.map(({ field }) => field).filter((field) => !tried.has(field))).toEqual(silent);
  });

  it("counts no entry as nothing, and an absent list as everything", () => {
    const parsed = parseDeployment(deployment("mine", { scheduling: { priorityClassName: "high" } }));
    if (!parsed.ok) throw new Error("refused");
    expect(limitRefusals(parsed.spec, { limits: { priorityClassNames: [] } })).toHaveLength(1);
    expect(limitRefusals(parsed.spec, { limits: { priorityClassNames: ["high"] } })).toEqual([]);
    expect(limitRefusals(parsed.spec, { limits: {} })).toEqual([]);
  });
});
