import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { deploymentSpec } from "../../crds/deployment.ts";
import { parseDeployment } from "../../crds/parse.ts";
import { planDeployment } from "../../synth/plan.ts";
import { nearly } from "../api/arbitrary.ts";
import { deployment } from "../api/documents.ts";
import { goodCases } from "../api/good.ts";
import { isFull, points } from "../faults/scope.ts";
import { platforms, specs } from "../unit/synth/arbitrary.ts";
import { asServerCommand, wheelOf } from "./commands.ts";
import { parseCommands } from "./parser.ts";

const samples = goodCases
  .map(([, document]) => document)
  .filter(({ kind }) => kind === "MiMoDeployment")
  .map(({ spec }) => spec);
const anything = fc.record({
  spec: fc.oneof(nearly(deploymentSpec, samples), specs),
  platform: platforms,
});

/** An argument of the user's own is the user's own: SGLang has hundreds, and only those that contradict the plan are known. */
const withServer = z.looseObject({ server: z.looseObject({}).optional() });
function withoutExtras(spec: unknown): unknown {
  const read = withServer.safeParse(spec);
  if (!read.success || read.data.server === undefined) return spec;
  const { extraArgs: _, ...server } = read.data.server;
  return { ...read.data, server };
}

const drawn = fc.sample(anything, isFull ? 10_000 : 0).flatMap(({ spec, platform }) => {
  const parsed = parseDeployment({ ...deployment({}), spec: withoutExtras(spec) });
  const result = parsed.ok ? planDeployment(parsed, platform) : undefined;
  return result?.accepted === true ? [result.plan] : [];
});

describe.runIf(isFull)("whatever request is accepted", () => {
  test.for(["0.5.7", "0.5.11", "0.5.18", "0.5.23"] as const)(
    "its command line is one for the argument parser and the start-up checks of SGLang %s",
    async (wheel, { task }) => {
      const own = drawn.filter(({ variant, runtime }) => wheelOf(variant, runtime) === wheel);
      const commands = own.map((plan, index) => asServerCommand(String(index), plan));
      const unique = new Map(commands.map((command) => [JSON.stringify(command.argv), command]));
      expect(unique.size).toBeGreaterThan(5);
      const verdicts = await parseCommands(wheel, [...unique.values()]);
      const bad = verdicts.filter(({ verdict }) => verdict !== "accepted");
      expect(bad.map((verdict) => ({ ...verdict, argv: commands[Number(verdict.id)]?.argv }))).toEqual([]);
      points(task, 0, commands.length);
    },
  );
});
