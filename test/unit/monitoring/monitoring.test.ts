import { globSync, readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { alerts } from "../../../charts/monitoring/alerts.ts";
import { type Dashboard, dashboardJson } from "../../../charts/monitoring/dashboard.ts";
import { dashboards, monitoringObjects } from "../../../charts/monitoring/objects.ts";
import { serverPodMonitor } from "../../../charts/monitoring/pod-monitors.ts";
import { renderDeployment } from "../../../charts/render.ts";
import { createDeploymentMetrics } from "../../../operator/deployment/metrics.ts";
import { createMetrics } from "../../../operator/runtime/metrics.ts";
import { twoNodePlan } from "../charts/plans.ts";
import { createFakeClock } from "../runtime/fake-clock.ts";
import { metricsIn, queries } from "./metrics-in-use.ts";

const root = resolve(import.meta.dirname, "../../..");

/** What the operator's two registrations make. */
function operatorMetrics(): string[] {
  const clock = createFakeClock();
  const { registry } = createMetrics(clock, "10.0.0.1");
  createDeploymentMetrics({ registry, deployments: { list: () => [] }, isLeading: () => true, clock });
  expect(registry).toBeInstanceOf(Registry);
  return registry.getMetricsAsArray().map(({ name }) => name);
}

describe("queries of alerts and dashboards", () => {
  const known = new Set(operatorMetrics());

  test.each(queries)("$where asks for metrics that exist", ({ expr }) => {
    const names = metricsIn(expr);
    expect(names).not.toEqual([]);
    expect(names.filter((name) => !name.startsWith("sglang:") && !known.has(name))).toEqual([]);
  });

  test("a name that nobody makes would be noticed", () => {
    expect(metricsIn('rate(mimo_made_up_bucket{a="b"}[5m])').filter((name) => !known.has(name))).toEqual([
      "mimo_made_up",
    ]);
  });
});

test("docs/operations.md explains every metric of our own, and no other", () => {
  const page = readFileSync(resolve(root, "docs/operations.md"), "utf8");
  const told = new Set(page.match(/\b(?:mimo_(?:deployment|group)|reflector)_[a-z_]+/g));
  const made = operatorMetrics().filter((name) => /^(mimo|reflector)_/.test(name));
  expect([...told].sort()).toEqual(made.sort());
});

describe("alerts", () => {
  const folder = resolve(root, "docs/runbooks");
  const pages = globSync("MiMo*.md", { cwd: folder }).map((page) => basename(page, ".md"));

  test("each has a page that says what to do, and each page an alert", () => {
    expect(pages.sort()).toEqual(alerts.map(({ name }) => name).sort());
  });

  test.each(alerts)(
    "the page of $name names it, says what it means, how to look and what to do",
    ({ name }) => {
      const page = readFileSync(resolve(folder, `${name}.md`), "utf8");
      expect(page.startsWith(`# ${name}\n`)).toBe(true);
      for (const heading of ["## Meaning", "## Look", "## Do"]) expect(page).toContain(`${heading}\n`);
    },
  );

  test("link to their pages where those are said to be", () => {
    const [, , rule] = monitoringObjects({
      namespace: "mimo-system",
      runbooks: "https://git.example.com/runbooks",
    });
    expect(JSON.stringify(rule)).toContain(
      '"runbook_url":"https://git.example.com/runbooks/MiMoGroupFlapping.md"',
    );
  });
});

describe("dashboards", () => {
  const box = z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() });
  type Box = z.output<typeof box>;
  const page = z.object({ panels: z.array(z.object({ gridPos: box })) });
  const boxesOf = (dashboard: Dashboard): Box[] =>
    page.parse(dashboardJson(dashboard)).panels.map(({ gridPos }) => gridPos);
  const overlap = (a: Box, b: Box): boolean =>
    a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

  test.each(dashboards)("$title: panels lie side by side within the page", (dashboard) => {
    const boxes = boxesOf(dashboard);
    expect(boxes.every(({ x, w }) => x + w <= 24)).toBe(true);
    expect(
      boxes.flatMap((box, index) => boxes.slice(index + 1).filter((other) => overlap(box, other))),
    ).toEqual([]);
  });

  test.each(dashboards)("$title: every panel says what it tells", ({ rows }) => {
    for (const { title, description } of rows.flatMap(({ panels }) => panels))
      expect(description, title).toMatch(/\.$/);
  });
});

const podMonitor = z.object({
  spec: z.object({
    selector: z.object({
      matchLabels: z.record(z.string(), z.string()),
      matchExpressions: z.array(z.object({ key: z.string(), operator: z.literal("Exists") })),
    }),
    podMetricsEndpoints: z.tuple([z.looseObject({ port: z.string() })]),
  }),
});
const statefulSet = z.object({
  spec: z.object({
    template: z.object({
      metadata: z.object({ labels: z.record(z.string(), z.string()) }),
      spec: z.object({ containers: z.array(z.object({ ports: z.array(z.object({ name: z.string() })) })) }),
    }),
  }),
});

test("servers are scraped at rank 0 alone, at a port that their pods have", () => {
  const { selector, podMetricsEndpoints } = podMonitor.parse(serverPodMonitor("mimo-system")).spec;
  const groups = renderDeployment({ plan: twoNodePlan(), replicas: 1 });
  const { template } = statefulSet.parse(groups.find(({ kind }) => kind === "StatefulSet")).spec;
  // The StatefulSet controller adds each pod's index.
  expect(selector.matchLabels).toEqual({ "apps.kubernetes.io/pod-index": "0" });
  for (const { key } of selector.matchExpressions) expect(template.metadata.labels).toHaveProperty([key]);
  const ports = template.spec.containers.flatMap((container) => container.ports.map(({ name }) => name));
  expect(ports).toContain(podMetricsEndpoints[0].port);
});
