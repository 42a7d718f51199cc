import type { DeploymentSpec } from "../crds/deployment.ts";
import type { Fabric } from "../crds/fabric.ts";
import type { HardwareNodes } from "../crds/platform.ts";
import type { HardwareFacts } from "./catalogue/hardware.ts";
import type { Recipe } from "./catalogue/recipes.ts";
import type { Findings } from "./errors.ts";
import type { Features } from "./features.ts";

/** What joins the ranks of a group that spans nodes, as its pods need it. */
export interface FabricPlan {
  readonly env: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Extended resources to their counts, and hugepages to their sizes. */
  readonly devices?: Readonly<Record<string, string>>;
  /** Port of the node that the server listens on; absent in the pod network. */
  readonly hostPort?: number;
}

const efaResource = "vpc.amazonaws.com/efa";

/** The platform's fabric for a group that spans nodes, with what to say about it; nothing for a group on one node. */
export function resolveFabric(
  spec: DeploymentSpec,
  nodes: HardwareNodes,
  gpu: HardwareFacts,
  recipe: Recipe,
  features: Features,
  findings: Findings,
): FabricPlan {
  if (recipe.nodes === 1) return { env: {}, annotations: {} };
  const fabric = nodes.fabric ?? {};
  const { resources: devices = {}, annotations = {}, hostNetwork } = fabric;
  const warn = (warning: string) => findings.warnings.push(warning);
  const where = `MiMoPlatform hardware[${spec.hardware}].fabric`;
  const withoutDevices = Object.keys(devices).length === 0;

  if (withoutDevices && !gpu.multiNodeNvlink) {
    warn(
      `no RDMA resource is known for ${spec.hardware}: NCCL between the ${recipe.nodes} nodes falls back to TCP, which is far slower; set MiMoPlatform preset, or ${where}.resources`,
    );
  }
  if (withoutDevices && features.deepEP) {
    warn(
      `DeepEP between nodes needs RDMA, and no RDMA resource is known for ${spec.hardware}: set MiMoPlatform preset or ${where}.resources, or spec.features.deepEP: Disabled`,
    );
  }
  if (Object.hasOwn(devices, efaResource)) warnOfEfa(spec, features, warn);
  if (hostNetwork !== undefined) {
    warn(
      `pods use their node's network, port ${hostNetwork.httpPort} for HTTP and 20000 to 29999 for the ranks: network policies don't hold for them, so whoever reaches the nodes reaches the API; set spec.server.apiKeySecret`,
    );
  }
  for (const key of Object.keys(annotations)) {
    if (spec.podTemplate?.annotations?.[key] === undefined) continue;
    warn(
      `spec.podTemplate.annotations[${key}] is not used: ${where}.annotations attaches the pod's networks`,
    );
  }
  return {
    env: fabricEnv(fabric, features.deepEP),
    annotations,
    ...(!withoutDevices && { devices }),
    ...(hostNetwork !== undefined && { hostPort: hostNetwork.httpPort }),
  };
}

function warnOfEfa(spec: DeploymentSpec, features: Features, warn: (warning: string) => void): void {
  if (spec.image?.repository === undefined) {
    warn(
      "SGLang's published images lack aws-ofi-nccl and libfabric, without which NCCL can't use EFA and falls back to TCP: build an image with both and name it in spec.image",
    );
  }
  if (features.deepEP) {
    warn(
      "DeepEP's kernels drive InfiniBand and RoCE adapters themselves and can't use EFA: set spec.features.deepEP: Disabled",
    );
  }
}

/**
 * Variables of the ranks. NVSHMEM is only there with DeepEP. gloo takes one whole name; NCCL would take it for the beginning of
 * a name, hence the "=".
 */
export function fabricEnv(fabric: Fabric, deepEP: boolean): Record<string, string> {
  const { interface: meeting, ibGidIndex: gid, ibTrafficClass: trafficClass } = fabric;
  const sockets = fabric.socketInterfaces ?? (meeting === undefined ? undefined : `=${meeting}`);
  const mapping = fabric.nvshmemHcaPeMapping;
  const own = Object.fromEntries((fabric.env ?? []).map(({ name, value }) => [name, value]));
  return {
    ...own,
    ...(fabric.ibHca !== undefined && { NCCL_IB_HCA: fabric.ibHca }),
    ...(gid !== undefined && { NCCL_IB_GID_INDEX: String(gid) }),
    ...(trafficClass !== undefined && { NCCL_IB_TC: String(trafficClass) }),
    ...(sockets !== undefined && { NCCL_SOCKET_IFNAME: sockets }),
    ...(meeting !== undefined && { GLOO_SOCKET_IFNAME: meeting }),
    ...(deepEP && {
      ...(meeting !== undefined && { NVSHMEM_BOOTSTRAP_UID_SOCK_IFNAME: meeting }),
      ...(gid !== undefined && { NVSHMEM_IB_GID_INDEX: String(gid) }),
      ...(trafficClass !== undefined && { NVSHMEM_IB_TRAFFIC_CLASS: String(trafficClass) }),
      ...(mapping !== undefined && {
        NVSHMEM_ENABLE_NIC_PE_MAPPING: "1",
        NVSHMEM_HCA_PE_MAPPING: mapping,
      }),
    }),
  };
}
