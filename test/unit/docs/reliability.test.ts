import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { catalogue } from "../../faults/catalogue.ts";
import { readResults, reliabilityPage } from "../../faults/report.ts";
import { tableRows } from "./markdown.ts";

const page = readFileSync(new URL("../../../docs/reliability.md", import.meta.url), "utf8");

describe("docs/reliability.md", () => {
  test("is what its source says; npm run generate:reliability writes it", () => {
    expect(page).toBe(reliabilityPage(readResults()));
  });

  test("has a row for each of the 42 failures, and none fails", () => {
    const rows = tableRows(page).filter((row) => "#" in row);
    expect(rows.map((row) => Number(row["#"]))).toEqual(Array.from({ length: 42 }, (_, index) => index + 1));
    expect(rows.filter((row) => row.Result === "FAILS")).toEqual([]);
  });

  test.each(catalogue)("row $number names tests that exist", ({ tests }) => {
    expect(tests.length).toBeGreaterThan(0);
    for (const { file } of tests)
      expect(existsSync(new URL(`../../${file}`, import.meta.url)), file).toBe(true);
  });
});
