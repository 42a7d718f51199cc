import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { z } from "zod";
import { deploymentSpec } from "../../../crds/deployment.ts";
import { platformSpec } from "../../../crds/platform.ts";
import { plan } from "../../../operator/cli/plan.ts";
import { render } from "../../../operator/cli/render.ts";
import { reviewFiles } from "../../../operator/cli/requests.ts";
import { nearly } from "../../api/arbitrary.ts";
import { deployment, platform } from "../../api/documents.ts";
import { goodCases } from "../../api/good.ts";
import { cases, points } from "../../faults/scope.ts";

const specsOf = (kind: string): unknown[] =>
  goodCases.flatMap(([, document]) => (document.kind === kind ? [document.spec] : []));
const deployments = nearly(deploymentSpec, specsOf("MiMoDeployment")).map((spec) =>
  stringify({ ...deployment({}), spec: withFewReplicas(spec) }),
);
/** A thousand StatefulSets a thousand times would only take long. */
function withFewReplicas(spec: unknown): unknown {
  const read = z.looseObject({ replicas: z.int().min(9) }).safeParse(spec);
  return read.success ? { ...read.data, replicas: read.data.replicas % 9 } : spec;
}
const platforms = nearly(platformSpec, specsOf("MiMoPlatform")).map((spec) =>
  stringify({ ...platform({}), spec }),
);
/** Whole files: of documents, of cut and spoilt ones, and of anything. */
const files = fc.oneof(
  { weight: 6, arbitrary: deployments },
  { weight: 4, arbitrary: fc.tuple(deployments, platforms).map((both) => both.join("---\n")) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(deployments, fc.nat(400), fc.string({ unit: "binary", maxLength: 5 }))
      .map(([text, at, noise]) => text.slice(0, at) + noise + text.slice(at)),
  },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 200 }) },
);

const runs = cases(400, 10_000);

test("whatever a file holds: plan and render say what is wrong, or print all of it, and never fail", async ({
  task,
}) => {
  let rendered = 0;
  await fc.assert(
    fc.asyncProperty(files, async (text) => {
      const review = await reviewFiles(["-"], undefined, Readable.from([Buffer.from(text)]));
      expect(plan(review, "table", 100)).toBeTypeOf("string");
      expect(JSON.parse(plan(review, "json", 100))).toHaveLength(review.outcomes.length);
      const yaml = render(review);
      // Nothing is printed without a reason, and no reason stands beside what is printed.
      expect(yaml === undefined).toBe(review.findings.length > 0);
      for (const { code, message } of review.findings) expect(`${code}: ${message}`).toMatch(/^\w+: .{5}/);
      if (yaml !== undefined) rendered += 1;
    }),
    { numRuns: runs },
  );
  expect(rendered).toBeGreaterThan(runs / 20);
  points(task, 0, runs);
});
