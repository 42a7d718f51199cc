import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { metricsIn, queries } from "../unit/monitoring/metrics-in-use.ts";
import { fetchWheel, WHEEL_VERSIONS } from "./wheels.ts";

const wanted = [...new Set(queries.flatMap(({ expr }) => metricsIn(expr)))].filter((name) =>
  name.startsWith("sglang:"),
);

test.each(WHEEL_VERSIONS)(
  "SGLang %s has every metric that alerts and dashboards ask for",
  async (version) => {
    expect(wanted.length).toBeGreaterThan(5);
    const { source } = await fetchWheel(version);
    const files = globSync("sglang/srt/**/*.py", { cwd: source });
    const text = files.map((file) => readFileSync(join(source, file), "utf8")).join("\n");
    expect(wanted.filter((name) => !text.includes(`"${name}"`))).toEqual([]);
  },
);
