import type { PlatformSpec } from "../crds/platform.ts";
import { type PlanRequest, planDeployment } from "../synth/plan.ts";
import type { PlanResult } from "../synth/serving-plan.ts";
import { podTemplate } from "./pod.ts";
import { patchTemplate } from "./pod-patches.ts";

/**
 * Plans a request and tries its patches on the pods that come of it: a plan that can be rendered, or the reasons why not.
 * Pure and deterministic, as planning is.
 */
export function acceptDeployment(request: PlanRequest, platform: PlatformSpec | undefined): PlanResult {
  const result = planDeployment(request, platform);
  if (!result.accepted || result.plan.podPatches === undefined) return result;
  const patched = patchTemplate(podTemplate(result.plan, ""), result.plan.podPatches);
  return patched.ok ? result : { accepted: false, refusals: [patched.refusal] };
}
