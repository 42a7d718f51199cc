import type { Fabric } from "../../crds/fabric.ts";
import type { Hardware, PlatformPreset } from "../../crds/names.ts";
import type { HardwareNodes } from "../../crds/platform.ts";

/** Nodes of one kind on one kind of cluster, in the fields of MiMoPlatform. Nothing here was tried on such a cluster. */
export interface PresetNodes
  extends Pick<HardwareNodes, "nodeSelector" | "tolerations" | "nvlinkDomainLabel">,
    NotEstablished {
  readonly fabric?: Fabric;
  /** Repository path and commit, or page, that it comes from. */
  readonly source: string;
}

/** What no source settles, with what to do; the plan says it. */
interface NotEstablished {
  readonly nodesNotEstablished: readonly string[];
  /** Of groups that span nodes. */
  readonly fabricNotEstablished: readonly string[];
}
const established: NotEstablished = { nodesNotEstablished: [], fabricNotEstablished: [] };

const arm = { "kubernetes.io/arch": "arm64" };
const instanceType = (value: string) => ({ "node.kubernetes.io/instance-type": value });
/** As GPU feature discovery and NVIDIA's DRA driver set it. */
const clique = "nvidia.com/gpu.clique";
/** The pod's own interface under every common network plugin. */
const podInterface = { interface: "eth0" };

/** One device of each of so many numbered networks, and the annotations that bring their interfaces into the pod. */
function gkeNetworks(count: number): Fabric {
  const names = Array.from({ length: count }, (_, index) => `rdma-${index}`);
  const interfaces = [
    { interfaceName: "eth0", network: "default" },
    // eth1 is the node's second gVNIC.
    ...names.map((network, index) => ({ interfaceName: `eth${index + 2}`, network })),
  ];
  return {
    ...podInterface,
    resources: Object.fromEntries(names.map((name) => [`networking.gke.io.networks/${name}`, "1"])),
    annotations: {
      "networking.gke.io/default-interface": "eth0",
      "networking.gke.io/interfaces": JSON.stringify(interfaces),
    },
  };
}
const gkeRdma: Omit<PresetNodes, "nodeSelector"> = {
  fabric: gkeNetworks(8),
  source:
    "GoogleCloudPlatform/container-engine-accelerators gpudirect-rdma/nccl-test.yaml @ 0920249 and nccl-test-a4.yaml @ 155bfa4; ai-dynamo/dynamo recipes/deepseek-v4.1-flash/sglang/disagg-gb200/kustomize/components/gke-rdma/patch-dgd.yaml @ 1749b48",
  nodesNotEstablished: [],
  fabricNotEstablished: [
    "the networks are expected under Google's names rdma-0 to rdma-7: write hardware[].fabric where yours have others",
    "Google documents RDMA with its NCCL plugin gIB, which SGLang's image has not: NCCL then uses its own RoCE transport, of unknown speed. An image with gIB goes in spec.image, its variables in hardware[].fabric.env",
  ],
};

/** EFA devices of an instance with all of its network cards attached. */
const efa = (devices: number): Fabric => ({
  ...podInterface,
  resources: { "vpc.amazonaws.com/efa": String(devices), "hugepages-2Mi": "5120Mi" },
  env: [
    { name: "FI_EFA_FORK_SAFE", value: "1" },
    { name: "FI_PROVIDER", value: "efa" },
  ],
});
const efaSource =
  "aws-samples/awsome-distributed-training micro-benchmarks/nccl-tests/kubernetes/nccl-tests.yaml @ 0162aac; EC2 user guide, EFA on accelerated instances";

const infiniBandVirtualFunctions: Omit<PresetNodes, "nodeSelector"> = {
  // The common taint of GPU pools; a pod may tolerate a taint that isn't there.
  tolerations: [{ key: "sku", operator: "Equal", value: "gpu", effect: "NoSchedule" }],
  fabric: { ...podInterface, resources: { "rdma/ib": "8" } },
  source:
    "Azure/aks-rdma-infiniband configs/nicclusterpolicy/sriov-device-plugin/sriov.yaml @ 20f3999 and tests/scenarios/k8s/values.yaml @ a88d212",
  nodesNotEstablished: [],
  fabricNotEstablished: [
    'rdma/ib: "8" is Azure\'s SR-IOV device plugin; with its shared device plugin write hardware[].fabric.resources: {rdma/shared_ib: "1"}',
    "Azure's own NCCL tests mount a topology file of the virtual machine (NCCL_TOPO_FILE), which pods here have not: NCCL may pair GPUs with far adapters",
  ],
};

const coreWeaveInfiniBand: Omit<PresetNodes, "nodeSelector"> = {
  ...established,
  fabric: { ...podInterface, resources: { "rdma/ib": "1" }, ibHca: "ibp" },
  source:
    "coreweave/nccl-tests mpi-operator/nccl-test-hgx-ib-mpijob.yaml @ da433d5 and nccl-test-distributed-b200-64-mpijob.yaml @ 3e725c9",
};

/** One virtual function of each RDMA adapter, attached by Multus. */
const ociVirtualFunctions = (adapters: number): Omit<PresetNodes, "nodeSelector"> => ({
  fabric: {
    ...podInterface,
    resources: { "nvidia.com/rdma-vf": String(adapters) },
    ibHca: "mlx5",
    ibGidIndex: 3,
    ibTrafficClass: 41,
    env: [
      { name: "NCCL_IB_SL", value: "0" },
      { name: "NCCL_IB_SPLIT_DATA_ON_QPS", value: "0" },
      { name: "NCCL_IB_TIMEOUT", value: "22" },
      { name: "NCCL_IGNORE_CPU_AFFINITY", value: "1" },
    ],
    annotations: { "k8s.v1.cni.cncf.io/networks": Array(adapters).fill("rdma-vf").join(",") },
  },
  source:
    "oracle-quickstart/oci-hpc-oke manifests/nccl-tests/virtual-functions/mpi-operator/BM.GPU.H200.8.yaml @ 4197ced and BM.GPU.H100.8.yaml @ ad725bd",
  nodesNotEstablished: [],
  fabricNotEstablished: [
    "the network attachment rdma-vf is looked for in the deployment's own namespace: write hardware[].fabric.annotations with its namespace where it is elsewhere",
    "Oracle's tests run privileged with /dev/infiniband of the node; whether the device plugin alone suffices was not tried",
  ],
});

/**
 * NVLink carries what the ranks of a group say to each other, so no RDMA is asked for. Clouds attach it to these nodes in other
 * ways than to HGX nodes: by DRA claims (GKE, AWS), by sixteen Multus networks (CoreWeave).
 */
const rack = (
  nodeSelector: Readonly<Record<string, string>> | undefined,
  nvlinkDomainLabel: string,
  source: string,
  more: Partial<NotEstablished> = {},
): PresetNodes => ({
  ...established,
  ...(nodeSelector !== undefined && { nodeSelector: { ...nodeSelector, ...arm } }),
  fabric: podInterface,
  nvlinkDomainLabel,
  source,
  ...more,
});

const onPremisesHgx: PresetNodes = {
  fabric: { ...podInterface, resources: { "rdma/rdma_shared_device_a": "1" } },
  source: "NVIDIA Network Operator, RDMA shared device plugin of its example NicClusterPolicy",
  nodesNotEstablished: [],
  fabricNotEstablished: [
    "RDMA device plugins are set up under many names, and rdma/rdma_shared_device_a is only NVIDIA's example: write hardware[].fabric.resources as `kubectl get nodes -o yaml` shows it under allocatable",
    "adapters, GID index and traffic class are left to NCCL: RoCE often needs hardware[].fabric.ibGidIndex and ibTrafficClass",
  ],
};

/** Node kinds that a cloud doesn't offer are absent. */
export const presets: Readonly<Record<PlatformPreset, Readonly<Partial<Record<Hardware, PresetNodes>>>>> = {
  GKE: {
    H100: {
      nodeSelector: { "cloud.google.com/gke-accelerator": "nvidia-h100-80gb" },
      fabric: podInterface,
      source: "GKE documentation, accelerator labels of a3-highgpu-8g",
      nodesNotEstablished: [
        "a3-megagpu-8g nodes carry another accelerator label: write hardware[].nodeSelector {cloud.google.com/gke-accelerator: nvidia-h100-mega-80gb} for them",
      ],
      fabricNotEstablished: [
        "H100 nodes of GKE have no RDMA: GPUDirect-TCPX and TCPXO need a daemon in each pod, which is not made, and NCCL uses plain TCP",
      ],
    },
    H200: { ...gkeRdma, nodeSelector: { "cloud.google.com/gke-accelerator": "nvidia-h200-141gb" } },
    B200: { ...gkeRdma, nodeSelector: { "cloud.google.com/gke-accelerator": "nvidia-b200" } },
    GB300: rack(
      { "cloud.google.com/gke-accelerator": "nvidia-gb300" },
      "cloud.google.com/gce-topology-subblock",
      "GKE documentation of A4X; NVIDIA AICR integrator guide, GKE A4X Max networking",
      {
        fabricNotEstablished: [
          "cloud.google.com/gce-topology-subblock is one NVL72 rack on A4X; for A4X Max no source says so",
        ],
      },
    ),
  },
  EKS: {
    H100: { ...established, nodeSelector: instanceType("p5.48xlarge"), fabric: efa(32), source: efaSource },
    H200: {
      ...established,
      nodeSelector: instanceType("p5en.48xlarge"),
      fabric: efa(16),
      source: efaSource,
      nodesNotEstablished: [
        "H200 nodes are expected to be p5en.48xlarge: for p5e.48xlarge write hardware[].nodeSelector, and 32 of vpc.amazonaws.com/efa in hardware[].fabric",
      ],
    },
    B200: {
      ...established,
      nodeSelector: instanceType("p6-b200.48xlarge"),
      fabric: efa(8),
      source: efaSource,
    },
    GB300: rack(
      instanceType("p6e-gb300.36xlarge"),
      clique,
      "NVIDIA cluster-readiness-engine, platform detection and overrides (GB300 on AWS)",
      {
        nodesNotEstablished: [
          "the instance type p6e-gb300.36xlarge is from secondary sources: compare it with the label node.kubernetes.io/instance-type of your nodes",
        ],
      },
    ),
  },
  AKS: {
    H100: infiniBandVirtualFunctions,
    H200: infiniBandVirtualFunctions,
    GB300: {
      ...rack(
        undefined,
        clique,
        "Azure/aks-rdma-infiniband README; NVIDIA cluster-readiness-engine, platform detection (GB300 on Azure)",
      ),
      tolerations: infiniBandVirtualFunctions.tolerations,
    },
  },
  CoreWeave: {
    H100: { ...coreWeaveInfiniBand, nodeSelector: { "node.coreweave.cloud/type": "gd-8xh100ib-i128" } },
    H200: { ...coreWeaveInfiniBand, nodeSelector: { "node.coreweave.cloud/type": "gd-8xh200ib-i128" } },
    B200: { ...coreWeaveInfiniBand, nodeSelector: { "node.coreweave.cloud/type": "b200-8x" } },
    GB300: rack(
      { "node.coreweave.cloud/type": "gb300-4x" },
      "ds.coreweave.com/nvlink.domain",
      "coreweave/nccl-tests mpi-operator/nccl-test-nvl-roce-mpijob.yaml @ da433d5",
    ),
  },
  OCI: {
    H100: { ...ociVirtualFunctions(16), nodeSelector: instanceType("BM.GPU.H100.8") },
    H200: { ...ociVirtualFunctions(8), nodeSelector: instanceType("BM.GPU.H200.8") },
    B200: { ...ociVirtualFunctions(8), nodeSelector: instanceType("BM.GPU.B200.8") },
    GB300: rack(
      instanceType("BM.GPU.GB300.4"),
      clique,
      "oracle-quickstart/oci-hpc-oke manifests/nccl-tests/host-network/mpi-operator/BM.GPU.GB300.4.yaml @ ad725bd",
    ),
  },
  OnPremises: {
    H20: onPremisesHgx,
    H100: onPremisesHgx,
    H200: onPremisesHgx,
    B200: onPremisesHgx,
    GB300: rack(undefined, clique, "NVIDIA GPU feature discovery and DRA driver v0.4.1"),
  },
};
