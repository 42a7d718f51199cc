import type { DeploymentSpec } from "../crds/deployment.ts";
import {
  type Hardware,
  hardwareKinds,
  type Runtime,
  runtimes,
  type Variant,
  variants,
} from "../crds/names.ts";
import type { Rule } from "../crds/schema.ts";
import { mostContext } from "./capacity.ts";
import { models } from "./catalogue/models.ts";
import { contextBeyondCheckpoint } from "./context.ts";
import { imagesFor, runtimeUnavailable } from "./image.ts";
import { roundContext } from "./memory.ts";

/**
 * What the catalogue knows to be impossible, as rules on a deployment's spec for the API server: one per impossible variant,
 * hardware and runtime, one per variant's and per pair's largest context. planDeployment refuses all that a rule refuses.
 */
export function catalogueRules(): readonly Rule<DeploymentSpec>[] {
  const pairs = variants.flatMap((variant) => hardwareKinds.map((kind) => ({ variant, kind })));
  return [
    ...pairs.flatMap(({ variant, kind }) =>
      runtimes
        .filter((runtime) => !imagesFor(variant, kind).some((image) => image.runtime === runtime))
        .map((runtime) => runtimeRule(variant, kind, runtime)),
    ),
    ...variants.map(checkpointRule),
    ...pairs.flatMap(({ variant, kind }) => {
      const most = mostContext(variant, kind);
      return most < models[variant].maxContextLength ? [contextRule(variant, kind, most)] : [];
    }),
  ];
}

function runtimeRule(variant: Variant, kind: Hardware, runtime: Runtime): Rule<DeploymentSpec> {
  return {
    rule: `!(self.variant == '${variant}' && self.hardware == '${kind}' && has(self.runtime) && self.runtime == '${runtime}')`,
    message: runtimeUnavailable(variant, kind, runtime),
    check: (spec) => !(spec.variant === variant && spec.hardware === kind && spec.runtime === runtime),
    fieldPath: ".runtime",
  };
}

function checkpointRule(variant: Variant): Rule<DeploymentSpec> {
  const most = models[variant].maxContextLength;
  return {
    rule: `!(self.variant == '${variant}' && has(self.contextLength) && self.contextLength > ${most})`,
    message: contextBeyondCheckpoint(variant, most),
    check: (spec) => !(spec.variant === variant && (spec.contextLength ?? 0) > most),
    fieldPath: ".contextLength",
  };
}

function contextRule(variant: Variant, kind: Hardware, most: number): Rule<DeploymentSpec> {
  return {
    rule: `!(self.variant == '${variant}' && self.hardware == '${kind}' && has(self.contextLength) && self.contextLength > ${most} && !(has(self.memoryCheck) && self.memoryCheck == 'Warn'))`,
    message: `${variant} on ${kind} holds at most about ${most} tokens of one request: write contextLength: ${roundContext(most)} or less, take hardware with more memory per GPU, or set memoryCheck: Warn`,
    check: (spec) =>
      !(
        spec.variant === variant &&
        spec.hardware === kind &&
        (spec.contextLength ?? 0) > most &&
        spec.memoryCheck !== "Warn"
      ),
    fieldPath: ".contextLength",
  };
}
