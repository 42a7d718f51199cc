import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { alerts, ruleGroups } from "../../charts/monitoring/alerts.ts";
import { queries } from "../unit/monitoring/metrics-in-use.ts";
import { cases } from "./cases.ts";
import { ensurePromtool, promtool } from "./promtool.ts";

let folder: string;
let tool: string;
beforeAll(async () => {
  tool = await ensurePromtool();
  folder = await mkdtemp(join(tmpdir(), "mimo-monitoring-"));
  await writeFile(join(folder, "alerts.yaml"), stringify(ruleGroups("docs/runbooks")));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function tryRules(name: string, tests: object[]): Promise<{ code: number; said: string }> {
  const path = join(folder, `${name}.yaml`);
  await writeFile(path, stringify({ rule_files: ["alerts.yaml"], evaluation_interval: "1m", tests }));
  return promtool(tool, ["test", "rules", path]);
}

test("Prometheus reads the rules", async () => {
  expect(await promtool(tool, ["check", "rules", join(folder, "alerts.yaml")])).toMatchObject({ code: 0 });
});

test("every alert has a case that raises it, and one that does not", () => {
  const pairs = cases.map(({ alert, fires }) => `${alert} ${fires}`);
  const needed = alerts.flatMap(({ name }) => [`${name} true`, `${name} false`]);
  expect(needed.filter((pair) => !pairs.includes(pair))).toEqual([]);
});

test.each(cases.map((each, index) => ({ ...each, index, verdict: each.fires ? "fires" : "is quiet" })))(
  "$alert $verdict: $what",
  async ({ alert, series, at, fires, index }) => {
    const expr = `count by (alertname) (ALERTS{alertname="${alert}",alertstate="firing"})`;
    const samples = fires ? [{ labels: `{alertname="${alert}"}`, value: 1 }] : [];
    const { code, said } = await tryRules(`case-${index}`, [
      {
        interval: "1m",
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        promql_expr_test: [{ expr, eval_time: at, exp_samples: samples }],
      },
    ]);
    expect(code, said).toBe(0);
  },
);

test("an alert names who, what and where to read on", async () => {
  const { code, said } = await tryRules("labels", [
    {
      interval: "1m",
      input_series: [
        {
          series:
            'mimo_deployment_condition{namespace="team-a",deployment="pro",condition="Stalled",reason="RolloutStalled"}',
          values: "1x20",
        },
      ],
      alert_rule_test: [
        {
          eval_time: "5m",
          alertname: "MiMoRolloutStalled",
          exp_alerts: [
            {
              exp_labels: {
                severity: "warning",
                namespace: "team-a",
                deployment: "pro",
                reason: "RolloutStalled",
              },
              exp_annotations: {
                summary: "the new revision of team-a/pro does not become Ready: RolloutStalled",
                description:
                  "The update is held, or the last good revision was brought back. Groups of it go on serving.",
                runbook_url: "docs/runbooks/MiMoRolloutStalled.md",
              },
            },
          ],
        },
      ],
    },
  ]);
  expect(code, said).toBe(0);
});

test("Prometheus reads every query of the dashboards", async () => {
  const rules = queries
    .filter(({ expr }) => !expr.startsWith("label_values"))
    .map(({ expr }, index) => ({
      record: `query_${index}`,
      expr: expr.replaceAll("$namespace", "a").replaceAll("$deployment", "b"),
    }));
  const path = join(folder, "queries.yaml");
  await writeFile(path, stringify({ groups: [{ name: "queries", rules }] }));
  const { code, said } = await promtool(tool, ["check", "rules", "--lint=none", path]);
  expect(code, said).toBe(0);
});
