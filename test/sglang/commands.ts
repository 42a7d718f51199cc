/** Plans as SGLang's own code sees them. */
import type { Runtime, Variant } from "../../crds/names.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import { CHECKPOINTS } from "./checkpoints.ts";
import type { ServerCommand } from "./parser.ts";
import type { WheelVersion } from "./wheels.ts";

/** The published wheel that stands for a runtime's image. */
export function wheelOf(variant: Variant, runtime: Runtime): WheelVersion {
  switch (runtime) {
    case "day0":
      return variant.startsWith("MiMo-V2-Flash") ? "0.5.7" : "0.5.11";
    case "v0.5.18":
      return "0.5.18";
    case "v0.5.23":
      return "0.5.23";
  }
}

/** As rank 1 of a group where there is one: the kubelet's variables filled in. */
export function asServerCommand(id: string, plan: ServingPlan): ServerCommand {
  const env = {
    ...plan.env,
    NODE_RANK: plan.nodes > 1 ? "1" : "0",
    RANK0_HOST: "x-0-0.x-ranks.y.svc",
    DIST_PORT: "20000",
  };
  return { id, argv: plan.command, env, checkpoint: CHECKPOINTS[plan.variant] };
}
