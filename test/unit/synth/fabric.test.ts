import { describe, expect, it } from "vitest";
import type { Fabric } from "../../../crds/fabric.ts";
import { hardwareKinds, platformPresets, variants } from "../../../crds/names.ts";
import { type PlatformSpec, platformSpec } from "../../../crds/platform.ts";
import { hardware } from "../../../synth/catalogue/hardware.ts";
import { presets } from "../../../synth/catalogue/platforms.ts";
import { recipes } from "../../../synth/catalogue/recipes.ts";
import { accepted, refused } from "./requests.ts";

const pro = { variant: "MiMo-V2.5-Pro", hardware: "H200" };
const oneNode = { variant: "MiMo-V2.5", hardware: "H200" };
const withFabric = (fabric: Fabric, more: PlatformSpec = {}): PlatformSpec => ({
  ...more,
  hardware: [{ kind: "H200", fabric }],
});
const whole: Fabric = {
  resources: { "rdma/ib": "8" },
  ibHca: "mlx5",
  ibGidIndex: 3,
  ibTrafficClass: 106,
  interface: "eth0",
  nvshmemHcaPeMapping: "mlx5_0:1:2",
  env: [{ name: "NCCL_IB_SL", value: "5" }],
  annotations: { "k8s.v1.cni.cncf.io/networks": "rails" },
};
const warnings = (spec: object, platform?: PlatformSpec): string =>
  accepted({ ...pro, ...spec }, platform).warnings.join("\n");

describe("the fabric of a group that spans nodes", () => {
  it("is in environment, devices and annotations of its pods", () => {
    const plan = accepted(pro, withFabric(whole));
    expect(plan.env).toMatchObject({
      NCCL_IB_HCA: "mlx5",
      NCCL_IB_GID_INDEX: "3",
      NCCL_IB_TC: "106",
      NCCL_IB_SL: "5",
      NCCL_SOCKET_IFNAME: "=eth0",
      GLOO_SOCKET_IFNAME: "eth0",
    });
    expect(plan.resources.devices).toEqual({ "rdma/ib": "8" });
    expect(plan.podAnnotations).toEqual(whole.annotations);
  });

  it("gives gloo the one name, and NCCL the list where there is one", () => {
    const { env } = accepted(pro, withFabric({ ...whole, socketInterfaces: "^lo,docker" }));
    expect(env).toMatchObject({ GLOO_SOCKET_IFNAME: "eth0", NCCL_SOCKET_IFNAME: "^lo,docker" });
  });

  it("sets NVSHMEM's variables with DeepEP only", () => {
    const nvshmem = (spec: object) =>
      Object.entries(accepted({ ...pro, ...spec }, withFabric(whole)).env).filter(([name]) =>
        name.startsWith("NVSHMEM_"),
      );
    expect(nvshmem({ features: { deepEP: "Disabled" } })).toEqual([]);
    expect(Object.fromEntries(nvshmem({ features: { deepEP: "Enabled" } }))).toEqual({
      NVSHMEM_BOOTSTRAP_UID_SOCK_IFNAME: "eth0",
      NVSHMEM_IB_GID_INDEX: "3",
      NVSHMEM_IB_TRAFFIC_CLASS: "106",
      NVSHMEM_ENABLE_NIC_PE_MAPPING: "1",
      NVSHMEM_HCA_PE_MAPPING: "mlx5_0:1:2",
    });
  });

  it("leaves a group on one node as it is", () => {
    const full = { ...whole, hostNetwork: { httpPort: 19_000 } };
    expect(accepted(oneNode, withFabric(full))).toEqual(accepted(oneNode));
  });

  it("is the platform's: a request may not set its variables, and its annotations win", () => {
    const server = { extraEnv: [{ name: "NCCL_IB_HCA", value: "mlx5_1" }] };
    expect(refused({ ...pro, server }, withFabric(whole))[0]).toMatchObject({
      code: "EnvironmentOwned",
      message: expect.stringContaining("hardware[].fabric"),
    });
    expect(accepted({ ...pro, server }).env).toMatchObject({ NCCL_IB_HCA: "mlx5_1" });
    const podTemplate = { annotations: { "k8s.v1.cni.cncf.io/networks": "mine", note: "kept" } };
    const plan = accepted({ ...pro, podTemplate }, withFabric(whole));
    expect(plan.podAnnotations).toEqual({ ...whole.annotations, note: "kept" });
    expect(plan.warnings.join("\n")).toContain("annotations[k8s.v1.cni.cncf.io/networks] is not used");
  });
});

describe("warnings about the fabric", () => {
  it("say that ranks without RDMA talk over TCP, unless NVLink joins their nodes", () => {
    expect(warnings({})).toContain("falls back to TCP");
    expect(warnings({}, withFabric(whole))).not.toContain("TCP");
    expect(warnings({ hardware: "GB300" })).not.toContain("RDMA");
    expect(warnings({ features: { deepEP: "Enabled" } })).toContain("DeepEP between nodes needs RDMA");
  });

  it("say what EFA needs that SGLang's images lack, until the request names its own image", () => {
    expect(warnings({}, { preset: "EKS" })).toContain("aws-ofi-nccl");
    const image = { repository: "registry.example.com/sglang-efa", tag: "v0.5.18" };
    expect(warnings({ image, runtime: "v0.5.18" }, { preset: "EKS" })).not.toContain("aws-ofi-nccl");
    expect(warnings({ features: { deepEP: "Enabled" } }, { preset: "EKS" })).toContain("can't use EFA: set");
  });
});

describe("the node's network", () => {
  const platform = withFabric({ ...whole, hostNetwork: { httpPort: 19_000 } });

  it("moves the server to the platform's port, outside of NodePorts; Services keep theirs", () => {
    const plan = accepted({ ...pro, server: { port: 8080 } }, platform);
    expect(plan).toMatchObject({ port: 8080, hostPort: 19_000 });
    expect(plan.command.join(" ")).toContain("--port 19000");
  });

  it("is warned of: Pod Security and network policies", () => {
    expect(warnings({}, platform)).toMatch(/network policies don't hold/);
    expect(warnings({}, platform)).toMatch(/level baseline gets no pods.* their node's network/);
  });

  it("is never shared by two ranks: a group that spans nodes takes all GPUs of each", () => {
    const spanning = variants.flatMap((variant) =>
      hardwareKinds.flatMap((kind) => {
        const { nodes, gpusPerNode } = recipes[variant][kind];
        return nodes > 1 ? [[gpusPerNode, hardware[kind].gpusPerNode]] : [];
      }),
    );
    expect(spanning.length).toBeGreaterThan(0);
    for (const [taken, all] of spanning) expect(taken).toBe(all);
  });

  it("goes without the preset's fabric, which is of the pod network", () => {
    const fabric = { interface: "bond0", hostNetwork: { httpPort: 19_000 } };
    const plan = accepted(pro, withFabric(fabric, { preset: "OCI" }));
    expect(plan.podAnnotations).toEqual({});
    expect(plan.resources).not.toHaveProperty("devices");
    expect(plan.placement.nodeSelector).toEqual({ "node.kubernetes.io/instance-type": "BM.GPU.H200.8" });
  });
});

describe("a preset", () => {
  const entries = platformPresets.flatMap((preset) =>
    hardwareKinds.flatMap((kind) => {
      const nodes = presets[preset][kind];
      return nodes === undefined ? [] : [{ preset, kind, nodes }];
    }),
  );

  it.each(entries)(
    "$preset obeys for $kind the rules of the fields that it stands for",
    ({ kind, nodes }) => {
      const { nodeSelector, tolerations, fabric } = nodes;
      expect(platformSpec.parse({ hardware: [{ kind, nodeSelector, tolerations, fabric }] })).toBeDefined();
      expect(nodes.source).not.toBe("");
      expect(nodes.nvlinkDomainLabel !== undefined).toBe(hardware[kind].multiNodeNvlink);
    },
  );

  it("gives way to each field that the platform writes, and to no more", () => {
    const fabric: Fabric = { resources: { "vpc.amazonaws.com/efa": "32" } };
    const nodeSelector = { "node.kubernetes.io/instance-type": "p5e.48xlarge" };
    const plan = accepted(pro, {
      preset: "EKS",
      hardware: [{ kind: "H200", nodeSelector, fabric }],
    });
    expect(plan.placement.nodeSelector).toEqual(nodeSelector);
    expect(plan.resources.devices).toEqual(fabric.resources);
    expect(plan.env).toMatchObject({ FI_PROVIDER: "efa", GLOO_SOCKET_IFNAME: "eth0" });
    expect(plan.warnings.join("\n")).not.toContain("not established");
  });

  it("says what isn't established of the nodes, and of the fabric where the group spans nodes", () => {
    expect(warnings({}, { preset: "EKS" })).toContain("preset EKS, H200 (not established): H200 nodes are");
    expect(warnings({}, { preset: "OCI" })).toContain("preset OCI, H200 (not established): the network");
    expect(accepted(oneNode, { preset: "OCI" }).warnings.join("\n")).not.toContain("not established");
  });

  it("that has no such nodes says so, until the platform describes them", () => {
    expect(warnings({ hardware: "H20" }, { preset: "GKE" })).toContain("preset GKE has no H20 nodes");
    const described: PlatformSpec = {
      preset: "GKE",
      hardware: [{ kind: "H20", nodeSelector: { pool: "h20" } }],
    };
    expect(warnings({ hardware: "H20" }, described)).not.toContain("preset GKE");
  });
});
