import { defineConfig } from "vitest/config";

/** Apart from the other tests: these install every package anew. */
export default defineConfig({
  test: { include: ["test/image/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 300_000 },
});
