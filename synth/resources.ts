import type { DeploymentSpec } from "../crds/deployment.ts";
import type { HardwareNodes } from "../crds/platform.ts";
import type { HardwareFacts } from "./catalogue/hardware.ts";
import type { Recipe } from "./catalogue/recipes.ts";
import type { Findings } from "./errors.ts";
import type { ModelPlan, ResourcePlan } from "./serving-plan.ts";

/** /dev/shm as the published docker commands size it (--shm-size 32g); NCCL and the tokenizer processes use it. */
const sharedMemoryGib = 32;
/** Memory of one rank's process beside the page cache. */
const processGib = 16;
/** Share of a node's allocatable memory that pods may ask for; the rest is for daemons of the node. */
const nodeShare = 0.95;
/** Room beside the checkpoint in a download: index, tokenizer and files in transfer. */
const downloadRoom = 1.1;

const gibPerUnit = { Mi: 1 / 1024, Gi: 1, Ti: 1024 } as const;

/** Whole GiB, rounded up. The schema admits whole numbers with Mi, Gi and Ti only. */
export function quantityGib(quantity: string): number {
  const unit = quantity.endsWith("Mi") ? "Mi" : quantity.endsWith("Ti") ? "Ti" : "Gi";
  return Math.ceil(Number.parseInt(quantity, 10) * gibPerUnit[unit]);
}

export function resolveResources(
  spec: DeploymentSpec,
  nodes: HardwareNodes,
  gpu: HardwareFacts,
  recipe: Recipe,
  model: ModelPlan,
  findings: Findings,
): ResourcePlan {
  const share = recipe.gpusPerNode / gpu.gpusPerNode;
  const asked = spec.resources ?? {};
  const shm = asked.sharedMemory === undefined ? sharedMemoryGib : quantityGib(asked.sharedMemory);
  const processes = processGib * recipe.gpusPerNode + shm;
  const nodeGib = nodes.nodeMemory === undefined ? undefined : quantityGib(nodes.nodeMemory);
  const mostGib = Math.floor((nodeGib === undefined ? gpu.podMemoryGib : nodeGib * nodeShare) * share);
  // The page cache counts as the pod's memory: room for the checkpoint lets all ranks of a node read it once.
  const wanted = Math.ceil(model.checkpointGib) + processes;
  const memoryGib = asked.memory === undefined ? Math.min(wanted, mostGib) : quantityGib(asked.memory);

  judgeMemory({ memoryGib, shm, processes, nodeGib, explicit: asked.memory !== undefined }, spec, findings);
  return {
    cpu: asked.cpu ?? Math.ceil(gpu.podCpu * share),
    memoryGib,
    sharedMemoryGib: shm,
    ...(model.source === "Ephemeral" && {
      ephemeralStorageGib: Math.ceil(model.checkpointGib * downloadRoom),
    }),
  };
}

interface Memory {
  readonly memoryGib: number;
  readonly shm: number;
  readonly processes: number;
  readonly nodeGib: number | undefined;
  readonly explicit: boolean;
}

function judgeMemory(
  { memoryGib, shm, processes, nodeGib, explicit }: Memory,
  spec: DeploymentSpec,
  findings: Findings,
): void {
  const refuse = (field: string, message: string) =>
    findings.refusals.push({ code: "ResourcesInvalid", field, message });
  if (memoryGib <= shm) {
    refuse(
      explicit ? "spec.resources.memory" : "spec.resources.sharedMemory",
      `/dev/shm of ${shm}Gi counts in the pod's memory of ${memoryGib}Gi and leaves nothing for the server: write at least memory: ${processes}Gi`,
    );
  } else if (memoryGib < processes) {
    findings.warnings.push(
      `${memoryGib}Gi of pod memory is little for ${processes}Gi of server processes and /dev/shm: the pod may be killed while it loads`,
    );
  }
  if (explicit && nodeGib !== undefined && memoryGib > nodeGib) {
    refuse(
      "spec.resources.memory",
      `${memoryGib}Gi is more than a ${spec.hardware} node has (${nodeGib}Gi by MiMoPlatform): no node could take the pod. Write at most ${Math.floor(nodeGib * nodeShare)}Gi`,
    );
  }
}
