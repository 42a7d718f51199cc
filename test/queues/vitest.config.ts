import { defineConfig } from "vitest/config";

/** Apart from the other tests: these build Kueue's manager on their first run. */
export default defineConfig({
  test: {
    include: ["test/queues/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 3_600_000,
  },
});
