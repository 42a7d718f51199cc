import { defineConfig } from "vitest/config";

/** Of these the other tests run what takes seconds. */
export default defineConfig({
  test: {
    include: ["test/security/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 1_200_000,
  },
});
