/** Grafana dashboards from code: rows of panels, laid out from left to right on Grafana's 24 columns. */

export interface Query {
  readonly expr: string;
  /** Name of a series, such as `{{state}}`. */
  readonly legend?: string;
}

export interface Panel {
  readonly title: string;
  readonly kind: "timeseries" | "stat" | "table";
  readonly queries: readonly Query[];
  /** What it tells, and when to worry. */
  readonly description: string;
  /** Of Grafana's 24 columns. */
  readonly width: number;
  /** Grafana's name for the unit. Default: none. */
  readonly unit?: string;
  /** For shares: the axis goes to this. */
  readonly max?: number;
  readonly stacked?: true;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

interface Variable {
  readonly name: string;
  readonly label: string;
  /** Query for its values. */
  readonly query: string;
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly Row[];
}

const columns = 24;
const heights = { timeseries: 8, stat: 4, table: 8 } as const;
/** Grafana asks for it by the data source that is chosen at the top. */
const datasource = { type: "prometheus", uid: "$datasource" };

export function dashboardJson({ uid, title, description, variables, rows }: Dashboard): object {
  const panels: object[] = [];
  let y = 0;
  for (const row of rows) {
    panels.push({
      id: panels.length + 1,
      type: "row",
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y: y++, w: columns, h: 1 },
      panels: [],
    });
    let x = 0;
    let height = 0;
    for (const panel of row.panels) {
      if (x + panel.width > columns) {
        x = 0;
        y += height;
        height = 0;
      }
      const h = heights[panel.kind];
      panels.push(panelJson(panel, panels.length + 1, { x, y, w: panel.width, h }));
      x += panel.width;
      height = Math.max(height, h);
    }
    y += height;
  }
  return {
    uid,
    title,
    description,
    tags: ["mimo"],
    schemaVersion: 39,
    editable: true,
    refresh: "30s",
    time: { from: "now-6h", to: "now" },
    templating: {
      list: [
        { name: "datasource", label: "Prometheus", type: "datasource", query: "prometheus" },
        ...variables.map(({ name, label, query }) => ({
          name,
          label,
          type: "query",
          datasource,
          query: { query, refId: name },
          refresh: 2,
          sort: 1,
        })),
      ],
    },
    panels,
  };
}

function panelJson(panel: Panel, id: number, gridPos: object): object {
  const { kind, title, description, queries, unit = "none", max, stacked } = panel;
  const custom =
    kind === "timeseries"
      ? {
          fillOpacity: stacked ? 40 : 10,
          showPoints: "never",
          ...(stacked && { stacking: { mode: "normal" } }),
        }
      : {};
  return {
    id,
    type: kind,
    title,
    description,
    datasource,
    gridPos,
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode("A".charCodeAt(0) + index),
      datasource,
      expr,
      legendFormat: legend ?? "__auto",
      ...(kind === "timeseries" ? {} : { instant: true }),
      ...(kind === "table" && { format: "table" }),
    })),
    fieldConfig: { defaults: { unit, ...(max !== undefined && { min: 0, max }), custom }, overrides: [] },
    options:
      kind === "timeseries"
        ? { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } }
        : {},
  };
}
