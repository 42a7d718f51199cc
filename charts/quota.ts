import { k8s } from "cdk8s-plus-28";
import type { Limits } from "../crds/limits.ts";
import type { KubeObject } from "./kubernetes.ts";
import { operatorLabels } from "./rbac.ts";
import { synthesize } from "./synthesize.ts";

/** Resource that a namespace's pods ask GPUs by, as a ResourceQuota counts it. */
export const gpuQuotaKey = "requests.nvidia.com/gpu";

/**
 * A ResourceQuota for each namespace with the GPUs that the platform gives to one. The platform's team applies it: an
 * admission policy sees one deployment at a time and can't add them up, and the operator has no business with namespaces.
 */
export const namespaceQuotas = (
  gpusPerNamespace: NonNullable<Limits["gpusPerNamespace"]>,
  namespaces: readonly string[],
): KubeObject[] =>
  synthesize((chart) => {
    for (const namespace of namespaces) {
      new k8s.KubeResourceQuota(chart, namespace, {
        metadata: { name: "mimo-gpus", namespace, labels: operatorLabels },
        spec: { hard: { [gpuQuotaKey]: k8s.Quantity.fromNumber(gpusPerNamespace) } },
      });
    }
  });
