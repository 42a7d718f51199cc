import fc from "fast-check";
import {
  featureModes,
  hardwareKinds,
  platformPresets,
  profiles,
  runtimes,
  variants,
} from "../../../crds/names.ts";
import type { PlatformSpec } from "../../../crds/platform.ts";

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

/** Drops what is undefined, as a file that leaves a field out. */
const written = (value: object): object =>
  Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([key, field]) => [
        key,
        field !== null && typeof field === "object" && !Array.isArray(field) ? written(field) : field,
      ]),
  );

const feature = maybe(fc.constantFrom(...featureModes));

/** Specs that the schema admits, sensible and not. */
export const specs: fc.Arbitrary<object> = fc
  .record({
    variant: fc.constantFrom(...variants),
    hardware: fc.constantFrom(...hardwareKinds),
    profile: maybe(fc.constantFrom(...profiles)),
    runtime: maybe(fc.constantFrom(...runtimes)),
    contextLength: maybe(
      fc.oneof(
        fc.integer({ min: 1024, max: 1_048_576 }),
        fc.constantFrom(262_144, 262_145, 655_360, 656_802),
      ),
    ),
    memoryCheck: maybe(fc.constantFrom("Enforce", "Warn")),
    features: maybe(
      fc.record({
        speculativeDecoding: feature,
        dataParallelAttention: feature,
        expertParallelism: feature,
        deepEP: feature,
        reasoningParser: feature,
        toolCallParser: feature,
      }),
    ),
    image: maybe(
      fc.constantFrom(
        { tag: "v0.5.18" },
        { tag: "v0.5.23" },
        { tag: "latest" },
        { tag: "v0.5.9" },
        { digest: `sha256:${"0".repeat(64)}` },
      ),
    ),
    model: maybe(
      fc.constantFrom(
        { huggingFace: {} },
        { persistentVolumeClaim: { claimName: "weights" } },
        { hostPath: { path: "/mnt/models/x" } },
        { image: { reference: "registry.example.com/m:1" } },
      ),
    ),
    server: maybe(
      fc.record({
        port: maybe(fc.integer({ min: 1024, max: 55_535 })),
        extraArgs: maybe(
          fc.array(
            fc.oneof(fc.string({ minLength: 1, maxLength: 20 }), fc.constantFrom("--tp", "--log-level")),
            {
              maxLength: 4,
            },
          ),
        ),
      }),
    ),
    resources: maybe(fc.record({ memory: maybe(fc.constantFrom("16Gi", "600Gi", "2Ti")) })),
  })
  .map(written);

const volume = fc.constantFrom(
  { persistentVolumeClaim: { claimName: "store" } },
  { hostPath: { path: "/mnt/store" } },
  { hostPath: { path: "/mnt/store" }, shared: true, readGibPerSecond: 5 },
);

export const platforms: fc.Arbitrary<PlatformSpec | undefined> = maybe(
  fc.constantFrom<PlatformSpec>(
    {},
    { allowedHostPaths: ["/mnt"] },
    { hardware: [{ kind: "H200", nodeMemory: "1Ti", fabric: { resources: { "rdma/ib": "8" } } }] },
    ...platformPresets.map((preset) => ({ preset })),
    {
      preset: "GKE",
      hardware: [{ kind: "H200", fabric: { interface: "bond0", hostNetwork: { httpPort: 19_000 } } }],
    },
    { images: { registry: "registry.example.com" } },
  ),
).chain((platform) =>
  maybe(volume).map((modelStore) =>
    platform === undefined || modelStore === undefined ? platform : { ...platform, modelStore },
  ),
);
