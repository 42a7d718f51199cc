import { defineConfig } from "vitest/config";

/** Apart from the other tests: helm takes minutes to build. */
export default defineConfig({
  test: {
    include: ["test/install/**/*.test.ts"],
    setupFiles: ["test/property-seed.ts"],
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 1_800_000,
  },
});
