import type { BadCase } from "../bad.ts";
import { platform } from "../documents.ts";

const withFabric = (fabric: object) => platform({ hardware: [{ kind: "H200", fabric }] });

export const badFabrics: readonly BadCase[] = [
  [
    "an RDMA resource without domain",
    withFabric({ resources: { ib: "1" } }),
    "spec.hardware[0].fabric.resources",
    '"rdma/ib"',
  ],
  [
    "no RDMA devices",
    withFabric({ resources: { "rdma/ib": "0" } }),
    "spec.hardware[0].fabric.resources",
    'count from "1" to "999"',
  ],
  [
    "RDMA devices as a size",
    withFabric({ resources: { "rdma/ib": "8Gi" } }),
    "spec.hardware[0].fabric.resources",
    'count from "1" to "999"',
  ],
  [
    "RDMA devices as a number",
    withFabric({ resources: { "rdma/ib": 8 } }),
    "spec.hardware[0].fabric.resources",
    "must be of type string",
  ],
  [
    "hugepages without a unit",
    withFabric({ resources: { "hugepages-2Mi": "5120" } }),
    "spec.hardware[0].fabric.resources",
    '"5120Mi"',
  ],
  [
    "GPUs among the devices of the fabric",
    withFabric({ resources: { "nvidia.com/gpu": "8" } }),
    "spec.hardware[0].fabric.resources",
    "the recipe says how many GPUs",
  ],
  [
    "adapters separated by blanks",
    withFabric({ ibHca: "mlx5_0, mlx5_1" }),
    "spec.hardware[0].fabric.ibHca",
    '"=mlx5_0,mlx5_3"',
  ],
  [
    "a GID index that no adapter has",
    withFabric({ ibGidIndex: -1 }),
    "spec.hardware[0].fabric.ibGidIndex",
    "greater than or equal to 0",
  ],
  [
    "a traffic class of more than eight bits",
    withFabric({ ibTrafficClass: 256 }),
    "spec.hardware[0].fabric.ibTrafficClass",
    "less than or equal to 255",
  ],
  [
    "an exclusion where gloo takes one name",
    withFabric({ interface: "^lo" }),
    "spec.hardware[0].fabric.interface",
    "one network interface",
  ],
  [
    "socket interfaces separated by blanks",
    withFabric({ socketInterfaces: "eth0 eth1" }),
    "spec.hardware[0].fabric.socketInterfaces",
    '"^lo,docker"',
  ],
  [
    "adapters for DeepEP without GPUs",
    withFabric({ nvshmemHcaPeMapping: "mlx5_0:1" }),
    "spec.hardware[0].fabric.nvshmemHcaPeMapping",
    '"mlx5_0:1:2,mlx5_1:1:2"',
  ],
  [
    "a variable of the fabric with a dash",
    withFabric({ env: [{ name: "FI-PROVIDER", value: "efa" }] }),
    "spec.hardware[0].fabric.env[0].name",
    '"FI_PROVIDER"',
  ],
  [
    "a variable of the fabric that has a field",
    withFabric({ env: [{ name: "NCCL_IB_HCA", value: "mlx5" }] }),
    "spec.hardware[0].fabric.env[0].name",
    "write ibHca",
  ],
  [
    "a variable of the fabric that places the rank",
    withFabric({ env: [{ name: "NODE_RANK", value: "0" }] }),
    "spec.hardware[0].fabric.env[0].name",
    "tells a rank its place",
  ],
  [
    "a variable of the fabric twice",
    withFabric({ env: ["a", "b"].map((value) => ({ name: "FI_PROVIDER", value })) }),
    "spec.hardware[0].fabric.env[1]",
    "Duplicate value",
  ],
  [
    "an annotation key of the fabric with a space",
    withFabric({ annotations: { "a b": "c" } }),
    "spec.hardware[0].fabric.annotations",
    "is an annotation key",
  ],
  [
    "an annotation of the operator's in the fabric",
    withFabric({ annotations: { "mimo.dev/dist-port": "1" } }),
    "spec.hardware[0].fabric.annotations",
    "those are the operator's",
  ],
  [
    "the nodes' network without an interface",
    withFabric({ hostNetwork: { httpPort: 19_000 } }),
    "spec.hardware[0].fabric.hostNetwork",
    "for example bond0",
  ],
  [
    "the nodes' network on a NodePort",
    withFabric({ interface: "bond0", hostNetwork: { httpPort: 30_000 } }),
    "spec.hardware[0].fabric.hostNetwork.httpPort",
    "less than or equal to 19999",
  ],
  [
    "two network interfaces in one",
    withFabric({ interface: "eth0,eth1" }),
    "spec.hardware[0].fabric.interface",
    "one network interface",
  ],
];
