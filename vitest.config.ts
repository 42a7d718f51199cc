import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Whole processes are started in many tests; more files at once only make them wait for each other.
    maxWorkers: 2,
    setupFiles: ["test/property-seed.ts"],
    testTimeout: 240_000,
    hookTimeout: 1_200_000,
    projects: [
      { extends: true, test: { name: "unit", include: ["test/unit/**/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "cluster",
          include: [
            "test/controlplane/**/*.test.ts",
            "test/api*/**/*.test.ts",
            "test/runtime/**/*.test.ts",
            "test/gitops/**/*.test.ts",
            "test/e2e/**/*.test.ts",
            "test/ranks/**/*.test.ts",
            "test/self-service/**/*.test.ts",
            "test/lifecycle/**/*.test.ts",
            // A sample; `npm run test:faults` has all of them, at every write.
            "test/faults/{writes,permissions,sweep}.test.ts",
            "test/security/{images,pod-security,reach}.test.ts",
          ],
          fileParallelism: false,
        },
      },
    ],
  },
});
