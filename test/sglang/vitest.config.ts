import { defineConfig } from "vitest/config";

/** Apart from the other tests: these fetch SGLang's wheels on their first run. */
export default defineConfig({
  test: { include: ["test/sglang/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 300_000 },
});
