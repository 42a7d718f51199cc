import { describe, expect, test } from "vitest";
import { customResourceDefinitions } from "../../../../charts/crds.ts";
import { hardwareKinds, variants } from "../../../../crds/names.ts";
import { type Diagnosis, diagnose } from "../../../../operator/cli/doctor/diagnose.ts";
import { healthy, holder, known, node, unknown } from "./facts.ts";

const pro = { variant: "MiMo-V2.5-Pro" } as const;
const check = (checks: Diagnosis["cluster"], about: string) => checks.find((each) => each.about === about);
const ofCluster = (changes: Parameters<typeof healthy>[0], about: string) =>
  check(diagnose(healthy(changes), {}).cluster, about);
function ofPair(changes: Parameters<typeof healthy>[0], hardware: "H200" | "GB300", about: string) {
  const [pair] = diagnose(healthy(changes), { ...pro, hardware }).pairs;
  return check(pair?.checks ?? [], about);
}

describe("a cluster in order", () => {
  test("serves what it has nodes for, and nothing else", () => {
    const { cluster, pairs, isHopeless } = diagnose(healthy(), {});
    expect(cluster.map(({ verdict }) => verdict)).not.toContain("failed");
    expect(pairs).toHaveLength(variants.length * hardwareKinds.length);
    for (const { hardware, decisive } of pairs)
      expect(decisive.verdict).toBe(["H200", "GB300"].includes(hardware) ? "ok" : "failed");
    expect(isHopeless).toBe(false);
  });

  test("is hopeless for a pair that it has no nodes for", () => {
    expect(diagnose(healthy(), { ...pro, hardware: "B200" }).isHopeless).toBe(true);
    expect(diagnose(healthy(), pro).isHopeless).toBe(false);
  });
});

describe("what is wrong with a cluster is said with its fix", () => {
  test.each([
    ["Kubernetes", { version: known("v1.29.4") }, "v1.29.4", "1.30"],
    ["CRDs", { definitions: known([]) }, "mimodeployments.mimo.dev is missing", "mimo crds"],
    ["Operator", { operators: known([]) }, "no Deployment mimo-operator", "mimo install"],
    ["MiMoPlatform", { platform: known({ clusterDomain: 7 }) }, "spec.clusterDomain", "correct it"],
    ["Queue", { platform: known({ queue: { system: "Kueue" } }) }, "not served", "install Kueue"],
    ["GPU nodes", { nodes: known([]) }, "none offers nvidia.com/gpu", "GPU operator"],
  ] as const)("%s", (about, changes, found, fix) => {
    expect(ofCluster(changes, about)).toEqual({
      about,
      verdict: "failed",
      found: expect.stringContaining(found),
      fix: expect.stringContaining(fix),
    });
  });

  test("an operator without a Ready pod, and two of them", () => {
    const program = { name: "mimo-operator", namespace: "a", image: "i", ready: 0, wanted: 2 };
    expect(ofCluster({ operators: known([program]) }, "Operator")).toMatchObject({
      verdict: "failed",
      found: expect.stringContaining("0 of 2"),
    });
    const two = [
      { ...program, ready: 2 },
      { ...program, ready: 2, namespace: "b" },
    ];
    expect(ofCluster({ operators: known(two) }, "Operator")).toMatchObject({
      verdict: "failed",
      found: expect.stringContaining("a, b"),
    });
  });

  test("a CRD of another version", () => {
    const definitions = customResourceDefinitions().map((each) => ({
      ...each,
      spec: { ...each.spec, scope: "None" },
    }));
    expect(ofCluster({ definitions: known(definitions) }, "CRDs")).toMatchObject({
      verdict: "failed",
      found: expect.stringContaining("of another version"),
    });
  });

  test("a store whose claim isn't there or isn't bound", () => {
    const platform = known({ modelStore: { persistentVolumeClaim: { claimName: "models" } } });
    expect(ofCluster({ platform }, "Model store")).toMatchObject({
      verdict: "failed",
      found: "no claim models in namespace team-a",
    });
    expect(ofCluster({ platform, storeClaim: known("Pending") }, "Model store")?.verdict).toBe("failed");
    expect(ofCluster({ platform, storeClaim: known("Bound") }, "Model store")?.verdict).toBe("ok");
  });
});

describe("what can be lived with is a note", () => {
  test("no platform, no default storage class", () => {
    expect(ofCluster({ platform: known(undefined) }, "MiMoPlatform")?.verdict).toBe("warning");
    const storageClasses = known([{ name: "slow", isDefault: false }]);
    expect(ofCluster({ storageClasses }, "Storage class")).toMatchObject({
      verdict: "warning",
      found: expect.stringContaining("slow"),
    });
  });

  test("nodes without labels, and nodes without a device plugin", () => {
    const nodes = known([
      node("H200", "bare", { labels: { "nvidia.com/gpu.product": "" } }),
      node("H200", "silent", { offers: { "nvidia.com/gpu": "0" } }),
    ]);
    expect(ofCluster({ nodes }, "Device plugin")?.found).toContain("silent");
    expect(ofCluster({ nodes }, "GPU labels")?.found).toContain("bare");
  });

  test("GPUs that are shared or cut up", () => {
    const nodes = known([
      node("H200", "sliced", { labels: { "nvidia.com/gpu.product": "NVIDIA-H200-MIG-1g.18gb" } }),
      node("H200", "timed", { labels: { "nvidia.com/gpu.sharing-strategy": "time-slicing" } }),
    ]);
    expect(ofCluster({ nodes }, "Whole GPUs")).toMatchObject({
      verdict: "warning",
      found: expect.stringContaining("sliced, timed"),
    });
  });
});

test("what may not be seen is unknown, and doesn't count as hopeless", () => {
  const blind = healthy({
    nodes: unknown,
    pods: unknown,
    definitions: unknown,
    operators: unknown,
    draDrivers: unknown,
    storageClasses: unknown,
  });
  const { cluster, pairs, isHopeless } = diagnose(blind, { ...pro, hardware: "GB300" });
  expect(check(cluster, "CRDs")).toEqual({ about: "CRDs", verdict: "unknown", found: unknown.why });
  expect(pairs[0]?.decisive.verdict).toBe("unknown");
  expect(isHopeless).toBe(false);
});

describe("a pair", () => {
  test("is told the place that its group could have", () => {
    expect(ofPair({}, "H200", "Free nodes")).toMatchObject({
      verdict: "ok",
      found: expect.stringContaining("2 nodes"),
    });
    expect(ofPair({}, "GB300", "Free nodes")?.found).toContain("NVLink domain");
  });

  test("is told in numbers why there is none now", () => {
    const busy = { pods: known([holder("a", "h200-0", 8)]) };
    expect(ofPair(busy, "H200", "Free nodes")).toMatchObject({
      verdict: "failed",
      found: expect.stringMatching(/needs 2 nodes with 8 free .*1 has them.*1 more is busy/),
    });
    const apart = known([node("GB300", "a", { clique: "x.1" }), node("GB300", "b", { clique: "x.2" })]);
    expect(ofPair({ nodes: apart }, "GB300", "Free nodes")).toMatchObject({
      verdict: "failed",
      found: expect.stringContaining("x.1 1, x.2 1"),
      fix: expect.stringContaining("one NVLink domain"),
    });
  });

  test("needs a driver as new as its image's CUDA", () => {
    const labels = { "nvidia.com/cuda.driver-version.full": "570.133.20" };
    const nodes = known([node("GB300", "a", { labels }), node("GB300", "b", { labels })]);
    expect(ofPair({ nodes }, "GB300", "Free nodes")).toMatchObject({
      verdict: "failed",
      found: expect.stringContaining("570.133.20"),
      fix: expect.stringContaining("driver"),
    });
    expect(ofPair({}, "GB300", "Driver")).toMatchObject({
      verdict: "ok",
      found: expect.stringContaining("580.105.08"),
    });
  });

  test("that spans nodes needs RDMA where the platform says so", () => {
    expect(ofPair({}, "H200", "RDMA")?.verdict).toBe("ok");
    const nodes = known([node("H200", "a"), node("H200", "b", { offers: { "rdma/ib": "1" } })]);
    expect(ofPair({ nodes }, "H200", "RDMA")).toMatchObject({
      verdict: "failed",
      found: expect.stringContaining("offer less: b"),
    });
    expect(ofPair({ platform: known({}) }, "H200", "RDMA")?.verdict).toBe("warning");
  });

  test("over NVLink between nodes needs claims, ComputeDomains and their driver", () => {
    expect(ofPair({ version: known("v1.33.0") }, "GB300", "Claims")?.verdict).toBe("failed");
    expect(ofPair({ served: known([]) }, "GB300", "ComputeDomains")).toMatchObject({
      verdict: "failed",
      fix: expect.stringContaining("DRA driver"),
    });
    expect(ofPair({ draDrivers: known([]) }, "GB300", "DRA driver")?.verdict).toBe("failed");
    expect(ofPair({}, "GB300", "DRA driver")?.found).toContain("v25.8.1");
    expect(ofPair({}, "H200", "DRA driver")).toBeUndefined();
  });

  test("that the platform makes impossible is told so", () => {
    const platform = known({ hardware: [{ kind: "H200", nodeMemory: "16Gi" }] });
    expect(ofPair({ platform }, "H200", "Plan")).toMatchObject({
      verdict: "failed",
      found: expect.stringContaining("memory"),
    });
  });
});
