import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DeploymentSpec, deploymentSpec } from "../../../crds/deployment.ts";
import { catalogueRules } from "../../../synth/rules.ts";
import { platforms, specs } from "./arbitrary.ts";
import { planOf } from "./requests.ts";

const rules = catalogueRules();

/** Evaluates the shape that catalogue rules have: not (a and b and ...), or fails. */
function holds(rule: string, spec: DeploymentSpec): boolean {
  const body = /^!\((.*)\)$/.exec(rule)?.[1];
  if (body === undefined) throw new Error(`not a negation: ${rule}`);
  const fields = new Map<string, unknown>(Object.entries(spec));
  const optOut = /^(.*) && !\(has\(self\.(\w+)\) && self\.\2 == '(\w+)'\)$/.exec(body);
  const terms = (optOut?.[1] ?? body).split(" && ").map((term) => {
    const [, present] = /^has\(self\.(\w+)\)$/.exec(term) ?? [];
    if (present !== undefined) return fields.get(present) !== undefined;
    const [, name = "", operator, text, digits] = /^self\.(\w+) (==|>) (?:'([^']*)'|(\d+))$/.exec(term) ?? [];
    const field = fields.get(name);
    if (operator === "==" && text !== undefined) return field === text;
    if (operator === ">" && digits !== undefined) return typeof field === "number" && field > Number(digits);
    throw new Error(`unknown term: ${term}`);
  });
  const optedOut = optOut !== null && fields.get(optOut[2] ?? "") === optOut[3];
  return !(terms.every(Boolean) && !optedOut);
}

describe("the rules of the API server", () => {
  it("say in CEL what they check in TypeScript", () => {
    fc.assert(
      fc.property(specs, (written) => {
        const spec = deploymentSpec.parse(written);
        for (const { rule, check } of rules) expect(holds(rule, spec), rule).toBe(check(spec));
      }),
      { numRuns: 200 },
    );
  });

  it("refuse nothing that planning accepts, with any platform", () => {
    let broken = 0;
    fc.assert(
      fc.property(specs, platforms, (written, platform) => {
        const spec = deploymentSpec.parse(written);
        if (rules.every(({ check }) => check(spec))) return;
        broken += 1;
        expect(planOf(written, platform).accepted).toBe(false);
      }),
      { numRuns: 600 },
    );
    expect(broken).toBeGreaterThan(20);
  });

  it("catch what depends on variant, hardware and runtime alone", () => {
    fc.assert(
      fc.property(specs, (written) => {
        const { variant, hardware, runtime } = deploymentSpec.parse(written);
        const bare = { variant, hardware, ...(runtime !== undefined && { runtime }) };
        const spec = deploymentSpec.parse(bare);
        expect(planOf(bare).accepted).toBe(rules.every(({ check }) => check(spec)));
      }),
    );
  });

  it("are static messages that name what to write, on the field they are about", () => {
    for (const { message, fieldPath } of rules) {
      expect([".runtime", ".contextLength"]).toContain(fieldPath);
      expect(message).toMatch(/[Ww]rite (runtime|contextLength): /);
      expect(message).not.toContain("\n");
      expect(message.length).toBeLessThanOrEqual(2048);
    }
  });

  it("are all different", () => {
    expect(new Set(rules.map(({ rule }) => rule)).size).toBe(rules.length);
  });
});
