import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { hardwareKinds, runtimes, variants } from "../../../crds/names.ts";
import { recipes } from "../../../synth/catalogue/recipes.ts";
import { refusalCodes } from "../../../synth/errors.ts";
import { planOf } from "../synth/requests.ts";
import { sectionOf, tableRows } from "./markdown.ts";

const page = readFileSync(new URL("../../../docs/recipes.md", import.meta.url), "utf8");

const combinations = variants.flatMap((variant) =>
  hardwareKinds.flatMap((hardware) => runtimes.map((runtime) => ({ variant, hardware, runtime }))),
);
const plain = (cell: string | undefined): string => (cell ?? "").replaceAll(/[*`,]/g, "");

describe("docs/recipes.md", () => {
  test.each(combinations)("says of $variant on $hardware with $runtime what the planner says", (spec) => {
    const rows = tableRows(sectionOf(page, `## ${spec.variant}`)).filter(
      (row) => row.Hardware === spec.hardware && plain(row.Runtime) === spec.runtime,
    );
    expect(rows).toHaveLength(1);
    const [row] = rows;
    const result = planOf(spec);
    if (!result.accepted) {
      for (const { code, message } of result.refusals) {
        expect(row?.Groups).toContain(`refused (${code})`);
        expect(row?.Groups).toContain(message);
      }
      return;
    }
    const { plan } = result;
    expect({
      groups: plain(row?.Groups),
      parallel: row?.["TP/DP/EP"],
      context: Number(plain(row?.Context)),
      kv: Number(row?.KV),
      tokens: Number(plain(row?.Tokens)),
      provenance: row?.Provenance,
    }).toEqual({
      groups: `${plan.nodes} × ${plan.gpusPerNode}`,
      parallel: [plan.tensorParallel, plan.dataParallel, plan.expertParallel].join("/"),
      context: plan.contextLength,
      kv: plan.memory.kvGibPerGpu,
      tokens: plan.memory.tokensPerDataParallelRank,
      provenance: plan.provenance.level,
    });
    expect(plan.image.reference.endsWith(`:${plain(row?.["Image tag"])}`)).toBe(true);
  });

  test.each(variants.flatMap((variant) => hardwareKinds.map((hardware) => ({ variant, hardware }))))(
    "marks the runtime that $variant on $hardware gets when it names none",
    ({ variant, hardware }) => {
      const marked = tableRows(sectionOf(page, `## ${variant}`))
        .filter((row) => row.Hardware === hardware && row.Runtime?.startsWith("**"))
        .map((row) => plain(row.Runtime));
      const result = planOf({ variant, hardware });
      expect(marked).toEqual(result.accepted ? [result.plan.runtime] : []);
    },
  );

  test("tells every difference from a published command with its reason", () => {
    for (const variant of variants) {
      const section = sectionOf(page, `## ${variant}`);
      for (const hardware of hardwareKinds) {
        for (const { setting, reason } of recipes[variant][hardware].differences) {
          const told = tableRows(section).some(
            (row) =>
              row.Setting === setting && row.Why === reason && row.Hardware?.split(", ").includes(hardware),
          );
          expect(told, `${variant} on ${hardware}: ${setting}`).toBe(true);
        }
      }
    }
  });

  test("tells of every refusal what to do", () => {
    const rows = tableRows(sectionOf(page, "## Refusals"));
    expect(rows.map((row) => plain(row.Code))).toEqual(Object.keys(refusalCodes));
    for (const row of rows) expect(row["What to do"]).not.toBe("");
  });
});
