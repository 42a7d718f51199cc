import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { computeKstatus, evaluateCel } from "./engines.ts";
import { states } from "./states.ts";

test("kstatus, and Flux by it, says of every state what it should", async () => {
  const answers = await computeKstatus(states.map((state) => state.object));
  const said = z.object({ status: z.string() });
  expect(answers.map(({ result }, index) => [states[index]?.name, said.parse(result).status])).toEqual(
    states.map(({ name, kstatus }) => [name, kstatus]),
  );
});

const expressions = z.object({ inProgress: z.string(), failed: z.string(), current: z.string() });
const wanted = { Healthy: "Current", Suspended: "Current", Degraded: "Failed", Progressing: "InProgress" };

test("Flux with the guide's healthCheckExprs takes suspended deployments for done, and all others as kstatus does", async () => {
  const guide = readFileSync(resolve(import.meta.dirname, "../../docs/gitops.md"), "utf8");
  const [, block = ""] = /```yaml\n(spec:\n {2}healthCheckExprs:[\s\S]*?)```/.exec(guide) ?? [];
  const [exprs] = z
    .object({ spec: z.object({ healthCheckExprs: z.tuple([expressions]) }) })
    .parse(parse(block)).spec.healthCheckExprs;
  const answersTo = (expression: string) => evaluateCel(states.map(({ object }) => ({ expression, object })));
  const inProgress = await answersTo(exprs.inProgress);
  const failed = await answersTo(exprs.failed);
  const current = await answersTo(exprs.current);
  // In the order in which Flux asks; a field that isn't there yet keeps it waiting.
  const verdicts = states.map(({ name }, index) => {
    const is = (answers: typeof failed): boolean => answers[index]?.result === true;
    const isKnown = [inProgress, failed, current].every((answers) => answers[index]?.error === undefined);
    if (!isKnown || is(inProgress)) return [name, "InProgress"];
    return [name, is(failed) ? "Failed" : is(current) ? "Current" : "InProgress"];
  });
  // An update that somebody holds is no end for Flux.
  const held = ["paused", "held-at-partition"];
  expect(verdicts).toEqual(
    states.map(({ name, argocd }) => [name, held.includes(name) ? "InProgress" : wanted[argocd]]),
  );
});
