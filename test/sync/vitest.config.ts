import { defineConfig } from "vitest/config";

/** Apart from the other tests: it serves every example twice on a control plane of its own. */
export default defineConfig({
  test: { include: ["test/sync/**/*.test.ts"], testTimeout: 240_000, hookTimeout: 1_200_000 },
});
