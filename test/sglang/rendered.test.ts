import { describe, expect, test } from "vitest";
import { type FeatureMode, hardwareKinds, profiles, runtimes, variants } from "../../crds/names.ts";
import { planDeployment } from "../../synth/plan.ts";
import { asServerCommand, wheelOf } from "./commands.ts";
import { parseCommands } from "./parser.ts";

const features = [
  "speculativeDecoding",
  "dataParallelAttention",
  "expertParallelism",
  "deepEP",
  "reasoningParser",
  "toolCallParser",
] as const;

/** Each profile by itself, and every way to set the six features. */
const choices = [
  ...profiles.map((profile) => ({ profile })),
  ...Array.from({ length: 2 ** features.length }, (_, bits) => ({
    features: Object.fromEntries(
      features.map((feature, bit): [string, FeatureMode] => [
        feature,
        (bits >> bit) & 1 ? "Enabled" : "Disabled",
      ]),
    ),
  })),
];

const plans = variants.flatMap((variant) =>
  hardwareKinds.flatMap((hardware) =>
    runtimes.flatMap((runtime) =>
      choices.flatMap((choice) => {
        const spec = { variant, hardware, runtime, replicas: 1, ...choice };
        const result = planDeployment({ name: "x", namespace: "y", spec }, undefined);
        const id = JSON.stringify([variant, hardware, runtime, choice]);
        return result.accepted
          ? [{ wheel: wheelOf(variant, runtime), command: asServerCommand(id, result.plan) }]
          : [];
      }),
    ),
  ),
);

describe("every command line that can be planned", () => {
  test.each(["0.5.7", "0.5.11", "0.5.18", "0.5.23"] as const)(
    "is accepted by the argument parser and the start-up checks of SGLang %s",
    async (wheel) => {
      const unique = new Map(
        plans
          .filter((plan) => plan.wheel === wheel)
          .map(({ command }) => [JSON.stringify([command.argv, command.checkpoint]), command]),
      );
      expect(unique.size).toBeGreaterThan(30);
      const verdicts = await parseCommands(wheel, [...unique.values()]);
      expect(verdicts).toHaveLength(unique.size);
      expect(verdicts.filter(({ verdict }) => verdict !== "accepted")).toEqual([]);
      console.info(`SGLang ${wheel}: ${unique.size} different command lines accepted`);
    },
    120_000,
  );
});
