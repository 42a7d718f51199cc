import { alerts } from "../../../charts/monitoring/alerts.ts";
import { dashboards } from "../../../charts/monitoring/objects.ts";

/** Every query of alerts and dashboards, with where it stands. */
export const queries: readonly { readonly where: string; readonly expr: string }[] = [
  ...alerts.map(({ name, expr }) => ({ where: `alert ${name}`, expr })),
  ...dashboards.flatMap(({ title, rows }) =>
    rows
      .flatMap(({ panels }) => panels)
      .flatMap((panel) => panel.queries.map(({ expr }) => ({ where: `${title}: ${panel.title}`, expr }))),
  ),
  ...dashboards.flatMap(({ title, variables }) =>
    variables.map(({ name, query }) => ({ where: `${title}: variable ${name}`, expr: query })),
  ),
];

/** Names of metrics all begin like this; labels and functions don't. */
const metric =
  /\b(?:mimo|controller_runtime|workqueue|rest_client|leader_election|reflector|event_recorder|sglang)[_:][a-zA-Z0-9_:]+/g;

/** Metrics in a query, histograms by the name that they are registered under. */
export const metricsIn = (expr: string): string[] => [
  ...new Set((expr.match(metric) ?? []).map((name) => name.replace(/_(bucket|sum|count)$/, ""))),
];
