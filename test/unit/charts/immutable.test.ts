import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { groupStatefulSet } from "../../../charts/render.ts";
import { freeze } from "../../../charts/revision.ts";
import { parseDeployment } from "../../../crds/parse.ts";
import { planDeployment } from "../../../synth/plan.ts";
import { deployment } from "../../api/documents.ts";
import { platforms, specs } from "../synth/arbitrary.ts";

const shape = z.looseObject({ spec: z.looseObject({}) });

/** What the API server lets nobody change in a StatefulSet: all of its specification but this. */
const changeable = [
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
];

test("whatever a request becomes: a group's StatefulSet never has to be another in what can't change", () => {
  const seen = new Set<string>();
  let count = 0;
  fc.assert(
    fc.property(specs, platforms, (spec, platform) => {
      const parsed = parseDeployment({ ...deployment({}), spec });
      const result = parsed.ok ? planDeployment(parsed, platform) : undefined;
      if (result?.accepted !== true) return;
      const { revision, template } = freeze(result.plan);
      const set = groupStatefulSet({ plan: result.plan, revision, groupId: 0, template });
      const fixed = Object.entries(shape.parse(set).spec).filter(([key]) => !changeable.includes(key));
      seen.add(JSON.stringify(fixed.sort(([a], [b]) => a.localeCompare(b))));
      count += 1;
    }),
    { numRuns: 500 },
  );
  expect(count).toBeGreaterThan(20);
  expect([...seen]).toHaveLength(1);
});
