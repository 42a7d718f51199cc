import { z } from "zod";
import { annotationMap, int32, listByKey, resourceMap, text, withRules, words } from "./schema.ts";

/** Variables that have a field of their own, and those that tell a rank its place. */
const withField = [
  "NCCL_IB_HCA",
  "NCCL_IB_GID_INDEX",
  "NCCL_IB_TC",
  "NCCL_SOCKET_IFNAME",
  "GLOO_SOCKET_IFNAME",
  "NVSHMEM_BOOTSTRAP_UID_SOCK_IFNAME",
  "NVSHMEM_IB_GID_INDEX",
  "NVSHMEM_IB_TRAFFIC_CLASS",
  "NVSHMEM_ENABLE_NIC_PE_MAPPING",
  "NVSHMEM_HCA_PE_MAPPING",
] as const;
const ofTheRank = ["GROUP_ID", "NODE_RANK", "RANK0_HOST", "DIST_PORT"] as const;

const among = (names: readonly string[]): string => `[${names.map((name) => `'${name}'`).join(", ")}]`;
const variableName = withRules(
  text({
    max: 128,
    pattern: /^[A-Za-z_][A-Za-z0-9_]*$/,
    message: 'fabric.env names are letters, digits and "_", for example "FI_PROVIDER"',
  }),
  [
    {
      rule: `!(self in ${among(withField)})`,
      message:
        "fabric.env is for what has no field of its own: write ibHca, ibGidIndex, ibTrafficClass, interface, socketInterfaces or nvshmemHcaPeMapping instead",
      check: (name) => !(withField as readonly string[]).includes(name),
    },
    {
      rule: `!(self in ${among(ofTheRank)})`,
      message: "fabric.env can't set what tells a rank its place: remove it",
      check: (name) => !(ofTheRank as readonly string[]).includes(name),
    },
  ],
);

/** How ranks on different nodes reach each other. All of it is for pods of groups that span nodes, and for no others. */
export const fabric = withRules(
  z.object({
    resources: resourceMap("fabric.resources", 16)
      .optional()
      .describe(
        'What each pod asks for, as in a container\'s limits: {rdma/ib: "1"}, or several devices, and hugepages where the devices need them. It brings the capability IPC_LOCK.',
      ),
    ibHca: text({
      max: 512,
      pattern: /^\^?=?[A-Za-z0-9_.-]+(:[0-9]+)?(,[A-Za-z0-9_.-]+(:[0-9]+)?)*$/,
      message:
        'fabric.ibHca is a list of RDMA adapters as NCCL takes it, for example "mlx5" (a beginning), "=mlx5_0,mlx5_3" (exact) or "^mlx5_bond_0" (all but)',
    })
      .optional()
      .describe("RDMA adapters that NCCL may use (NCCL_IB_HCA). NCCL finds them itself when absent."),
    ibGidIndex: int32(0, 255)
      .optional()
      .describe("GID index for RoCE (NCCL_IB_GID_INDEX; NVSHMEM_IB_GID_INDEX with DeepEP)."),
    ibTrafficClass: int32(0, 255)
      .optional()
      .describe(
        "Traffic class of RDMA, as the switches expect it (NCCL_IB_TC; NVSHMEM_IB_TRAFFIC_CLASS with DeepEP).",
      ),
    interface: text({
      max: 15,
      pattern: /^[a-zA-Z0-9_.-]+$/,
      message: 'fabric.interface is one network interface name as the pod sees it, for example "eth0"',
    })
      .optional()
      .describe(
        "The interface at which ranks meet (GLOO_SOCKET_IFNAME, which takes exactly one name; NCCL_SOCKET_IFNAME; NVSHMEM_BOOTSTRAP_UID_SOCK_IFNAME with DeepEP).",
      ),
    socketInterfaces: text({
      max: 256,
      pattern: /^\^?=?[a-zA-Z0-9_.-]+(,[a-zA-Z0-9_.-]+)*$/,
      message:
        'fabric.socketInterfaces is a list of interface names or their beginnings as NCCL takes it, for example "eth" or "^lo,docker"',
    })
      .optional()
      .describe(
        "Interfaces of NCCL's sockets, where they differ from fabric.interface (NCCL_SOCKET_IFNAME).",
      ),
    nvshmemHcaPeMapping: text({
      max: 512,
      pattern: /^[A-Za-z0-9_.-]+:[0-9]+:[0-9]+(,[A-Za-z0-9_.-]+:[0-9]+:[0-9]+)*$/,
      message:
        'fabric.nvshmemHcaPeMapping is adapter:port:GPUs, separated by commas, for example "mlx5_0:1:2,mlx5_1:1:2"',
    })
      .optional()
      .describe(
        "Which adapter serves how many GPUs, for DeepEP (NVSHMEM_HCA_PE_MAPPING with NVSHMEM_ENABLE_NIC_PE_MAPPING=1). NVSHMEM chooses itself when absent.",
      ),
    env: listByKey(
      z.object({
        name: variableName.describe("Name of the variable."),
        value: words(4096).describe("Its value."),
      }),
      "name",
      32,
    )
      .optional()
      .describe("Further variables that the network or its plugin needs."),
    annotations: withRules(annotationMap("fabric.annotations", 16), [
      {
        rule: "self.all(key, !key.startsWith('mimo.dev/'))",
        message: "fabric.annotations may not begin with mimo.dev/: those are the operator's; remove them",
        check: (map) => Object.keys(map).every((key) => !key.startsWith("mimo.dev/")),
      },
    ])
      .optional()
      .describe("Annotations that attach a pod to further networks."),
    hostNetwork: z
      .object({
        httpPort: int32(1024, 19_999).describe(
          "Port of every node that the server listens on; nothing else on the nodes may use it. Ports from 20000 on are for the ranks and for NodePort Services.",
        ),
      })
      .optional()
      .describe(
        "Pods use their node's own network. Pod Security level baseline refuses it, and network policies don't hold there.",
      ),
  }),
  [
    {
      rule: "!has(self.hostNetwork) || has(self.interface)",
      message:
        "fabric.hostNetwork needs fabric.interface beside it: ranks would else meet at what the node's own name resolves to, often loopback. Write the node's interface, for example bond0",
      check: (value) => value.hostNetwork === undefined || value.interface !== undefined,
      fieldPath: ".hostNetwork",
    },
  ],
);
export type Fabric = z.output<typeof fabric>;
