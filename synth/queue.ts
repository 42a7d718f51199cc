import type { DeploymentSpec } from "../crds/deployment.ts";
import type { QueueSystem } from "../crds/names.ts";
import type { PlatformSpec } from "../crds/platform.ts";
import type { Findings } from "./errors.ts";
import type { QueuePlan } from "./serving-plan.ts";

interface System {
  /** Its scheduler, as its own installation names it; undefined where it leaves pods to the cluster's. */
  readonly scheduler?: string;
  /** Whether pods have to name a queue, may, or can't. */
  readonly queues: "needed" | "optional" | "none";
}

const systems: Readonly<Record<QueueSystem, System>> = {
  Kueue: { queues: "needed" },
  Volcano: { scheduler: "volcano", queues: "optional" },
  KAI: { scheduler: "kai-scheduler", queues: "needed" },
  Native: { queues: "none" },
  SchedulerPlugins: { scheduler: "scheduler-plugins-scheduler", queues: "none" },
};

export interface ResolvedQueue {
  readonly queue?: QueuePlan;
  readonly schedulerName?: string;
}

/** The queue that a deployment waits in: its own choice, else the platform's; nothing where neither names one. */
export function resolveQueue(
  spec: DeploymentSpec,
  platform: PlatformSpec,
  findings: Findings,
): ResolvedQueue {
  const asked = spec.scheduling?.queue;
  const offered = platform.queue;
  if (offered === undefined) {
    if (asked !== undefined)
      findings.refusals.push({
        code: "QueueSystemMissing",
        field: "spec.scheduling.queue",
        message: `spec.scheduling.queue names ${asked}, and MiMoPlatform doesn't say what queues there are: remove it, or set MiMoPlatform queue.system`,
      });
    return {};
  }
  const { scheduler, queues } = systems[offered.system];
  if (queues === "none" && asked !== undefined) {
    findings.refusals.push({
      code: "QueueUnsupported",
      field: "spec.scheduling.queue",
      message: `spec.scheduling.queue names ${asked}, and ${offered.system}, which MiMoPlatform names, has no queues: remove it`,
    });
  }
  const name = asked ?? offered.name;
  if (queues === "needed" && name === undefined) return {};
  const schedulerName = offered.schedulerName ?? scheduler;
  const other = spec.scheduling?.schedulerName;
  if (schedulerName !== undefined && other !== undefined && other !== schedulerName) {
    findings.refusals.push({
      code: "SchedulerConflict",
      field: "spec.scheduling.schedulerName",
      message: `spec.scheduling.schedulerName ${other} would leave the queue to nobody: ${offered.system} needs ${schedulerName}. Remove it`,
    });
  }
  return {
    queue: {
      system: offered.system,
      ...(name !== undefined && { name }),
      ...(offered.topologyKey !== undefined && { topologyKey: offered.topologyKey }),
    },
    ...(schedulerName !== undefined && { schedulerName }),
  };
}
