import { defineConfig } from "vitest/config";

/** Apart from the other tests: NVIDIA's controller is built on the first run, which takes minutes. */
export default defineConfig({
  test: {
    include: ["test/fabric/**/*.test.ts"],
    setupFiles: ["test/property-seed.ts"],
    testTimeout: 240_000,
    hookTimeout: 1_800_000,
    fileParallelism: false,
  },
});
