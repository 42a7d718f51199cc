import { defineConfig } from "vitest/config";

/** Apart from the other tests: the first run builds Prometheus's tool for minutes. */
export default defineConfig({
  test: { include: ["test/monitoring/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 3_600_000 },
});
