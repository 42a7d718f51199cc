import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { type Comparison, compareAll, pagePath, publishedPage } from "./differences-table.ts";

describe("our plans against the published commands", () => {
  let comparisons: readonly Comparison[];

  beforeAll(async () => {
    comparisons = await compareAll();
  });

  test("cover every pair that a cookbook page shows, on every runtime that it stands for", () => {
    const pairs = comparisons.map(
      ({ published, hardware, runtime }) => `${published.variant} ${hardware} ${runtime}`,
    );
    expect(new Set(pairs).size).toBe(pairs.length);
    // MiMo-V2.5 and MiMo-V2.5-Pro on four kinds and three runtimes, MiMo-V2-Flash on two kinds and one.
    expect(pairs).toHaveLength(2 * 4 * 3 + 2);
  });

  test("differ in nothing that the catalogue gives no reason for", () => {
    const unexplained = comparisons.flatMap(({ published, runtime, rows }) =>
      rows
        .filter(({ reason }) => reason === undefined)
        .map(({ option }) => ({ id: published.id, runtime, option })),
    );
    expect(unexplained).toEqual([]);
  });

  test("are on the page as they are (npm run generate:published)", async () => {
    expect(await readFile(pagePath, "utf8")).toBe(publishedPage(comparisons));
  });
});
