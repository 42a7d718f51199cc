import { defineConfig } from "vitest/config";
import { catalogue, drawn } from "./catalogue.ts";

/** Every test that covers a row of the catalogue, with all its faults. */
export default defineConfig({
  test: {
    include: [
      ...new Set([...catalogue, ...drawn].flatMap(({ tests }) => tests.map(({ file }) => `test/${file}`))),
    ],
    fileParallelism: false,
    setupFiles: ["test/property-seed.ts"],
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
    reporters: ["default", "test/faults/report.ts"],
  },
});
