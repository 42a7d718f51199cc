import type { DeploymentSpec } from "../../../crds/deployment.ts";
import { hardwareKinds, runtimes, variants } from "../../../crds/names.ts";
import { catalogueRules } from "../../../synth/rules.ts";
import type { BadCase } from "../bad.ts";
import { deployment } from "../documents.ts";

const contexts = Array.from({ length: 128 }, (_, index) => 16_384 * (index + 1));
const specs: readonly DeploymentSpec[] = variants.flatMap((variant) =>
  hardwareKinds.flatMap((hardware) => [
    ...runtimes.map((runtime) => ({ variant, hardware, runtime, replicas: 1 })),
    ...contexts.map((contextLength) => ({ variant, hardware, contextLength, replicas: 1 })),
  ]),
);

/** One document for each rule of the catalogue, and two in so many words. The schema has nothing against them. */
export const badPairs: readonly BadCase[] = [
  [
    "a runtime without image for the hardware",
    deployment({ variant: "MiMo-V2-Flash", hardware: "B200", runtime: "day0" }),
    "spec.runtime",
    "Write runtime: v0.5.18 or v0.5.23, or leave it out",
  ],
  [
    "a context beyond the variant's",
    deployment({ variant: "MiMo-V2-Flash", contextLength: 1_000_000 }),
    "spec.contextLength",
    "write contextLength: 262144 or less",
  ],
  [
    "a context beyond every variant's",
    deployment({ variant: "MiMo-V2.5-Pro", contextLength: 2_000_000 }),
    "spec.contextLength",
    "write contextLength: 1048576 or less",
  ],
  ...catalogueRules().map(({ check, message, fieldPath }, index): BadCase => {
    const spec = specs.find((candidate) => !check(candidate));
    if (spec === undefined) throw new Error(`nothing runs into the rule that says: ${message}`);
    return [
      `what rule ${index} of the catalogue excludes`,
      deployment(spec),
      `spec${fieldPath ?? ""}`,
      message,
    ];
  }),
];
