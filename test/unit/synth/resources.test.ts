import { describe, expect, it } from "vitest";
import type { PlatformSpec } from "../../../crds/platform.ts";
import { quantityGib } from "../../../synth/resources.ts";
import { accepted, refused } from "./requests.ts";

const pro = { variant: "MiMo-V2.5-Pro", hardware: "H200" };
const v25 = { variant: "MiMo-V2.5", hardware: "B200" };
const nodes = (more: object, kind: "H200" | "GB300" | "B200" = "H200"): PlatformSpec => ({
  hardware: [{ kind, ...more }],
});

describe("a quantity", () => {
  it.each([
    ["512Mi", 1],
    ["1024Mi", 1],
    ["3Gi", 3],
    ["2Ti", 2048],
  ])("of %s is %i GiB, rounded up", (quantity, gib) => {
    expect(quantityGib(quantity)).toBe(gib);
  });
});

describe("what a pod asks for", () => {
  it("holds the checkpoint in the page cache where the node can", () => {
    const { resources } = accepted(pro);
    expect(resources.memoryGib - resources.sharedMemoryGib).toBeGreaterThan(963);
    expect(accepted({ ...pro, hardware: "GB300" }).resources.memoryGib).toBeLessThan(963);
  });

  it("is bounded by the node that the platform describes", () => {
    expect(accepted(pro, nodes({ nodeMemory: "800Gi" })).resources.memoryGib).toBe(760);
    const half = accepted(v25, nodes({ nodeMemory: "600Gi" }, "B200")).resources;
    expect(half.memoryGib).toBe(285);
  });

  it("is what the request says, in whole GiB", () => {
    const { resources } = accepted({ ...pro, resources: { cpu: 20, memory: "700Gi", sharedMemory: "64Gi" } });
    expect(resources).toMatchObject({ cpu: 20, memoryGib: 700, sharedMemoryGib: 64 });
  });

  it("is refused where /dev/shm leaves nothing, or where no node is so large", () => {
    const tight = refused({ ...pro, resources: { memory: "32Gi", sharedMemory: "32Gi" } });
    expect(tight[0]).toMatchObject({ code: "ResourcesInvalid", field: "spec.resources.memory" });
    const shm = refused({ ...pro, resources: { sharedMemory: "4Ti" } });
    expect(shm[0]).toMatchObject({ code: "ResourcesInvalid", field: "spec.resources.sharedMemory" });
    const large = refused({ ...pro, resources: { memory: "3Ti" } }, nodes({ nodeMemory: "2Ti" }));
    expect(large[0]).toMatchObject({ code: "ResourcesInvalid", field: "spec.resources.memory" });
    expect(large[0]?.message).toContain("2048Gi");
  });

  it("is warned about where it is little for the server's processes", () => {
    expect(accepted({ ...pro, resources: { memory: "64Gi" } }).warnings.join("\n")).toContain(
      "may be killed",
    );
  });
});

describe("where a pod may run", () => {
  it("is on nodes of the hardware's product label and architecture", () => {
    expect(accepted({ ...pro, hardware: "GB300" }).placement).toEqual({
      nodeSelector: { "nvidia.com/gpu.product": "NVIDIA-GB300", "kubernetes.io/arch": "arm64" },
      tolerations: [
        { key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" },
        { key: "kubernetes.io/arch", operator: "Equal", value: "arm64", effect: "NoSchedule" },
      ],
    });
    expect(accepted({ ...pro, hardware: "H100" }).placement.nodeSelector).toEqual({
      "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
    });
  });

  it("is on what the platform says of the hardware, and only of that kind", () => {
    const platform = nodes({
      nodeSelector: { "cloud.google.com/gke-accelerator": "nvidia-h200-141gb" },
      tolerations: [{ key: "pool", value: "gpu", effect: "NoSchedule" }],
      runtimeClassName: "nvidia",
    });
    const plan = accepted(pro, platform);
    expect(plan.placement).toMatchObject({
      nodeSelector: { "cloud.google.com/gke-accelerator": "nvidia-h200-141gb" },
      runtimeClassName: "nvidia",
    });
    expect(plan.placement.tolerations).toHaveLength(2);
    expect(accepted({ ...pro, hardware: "B200" }, platform).placement).toEqual(
      accepted({ ...pro, hardware: "B200" }).placement,
    );
  });

  it("is narrowed by the request, never widened", () => {
    const narrowed = { ...pro, scheduling: { nodeSelector: { zone: "a" }, priorityClassName: "high" } };
    expect(accepted(narrowed).placement).toMatchObject({
      nodeSelector: { zone: "a", "nvidia.com/gpu.product": "NVIDIA-H200" },
      priorityClassName: "high",
    });
    const label = "nvidia.com/gpu.product";
    const [refusal] = refused({ ...pro, scheduling: { nodeSelector: { [label]: "NVIDIA-H100-80GB-HBM3" } } });
    expect(refusal).toMatchObject({
      code: "NodeSelectorConflict",
      field: `spec.scheduling.nodeSelector[${label}]`,
    });
  });

  it("names a toleration once", () => {
    const twice = { key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" };
    expect(
      accepted({ ...pro, scheduling: { tolerations: [twice, twice] } }).placement.tolerations,
    ).toHaveLength(1);
  });
});
