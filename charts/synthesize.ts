import { App, Chart } from "cdk8s";
import { fingerprint } from "./fingerprint.ts";
import type { KubeObject, OwnerReference } from "./kubernetes.ts";
import { annotations } from "./names.ts";

/** Plain objects of what `build` adds to a chart, in that order. Keys are sorted, so equal input gives equal bytes. */
export function synthesize(build: (chart: Chart) => void): KubeObject[] {
  const chart = new Chart(new App(), "chart");
  build(chart);
  return chart.apiObjects.map((object) => object.toJson());
}

/**
 * Objects as the operator writes them: each carries the hash of its own content, so that a field that the API server dropped
 * can be told from one that somebody changed. The owner isn't part of the hash: without a cluster there is none.
 */
export function synthesizeChildren(
  build: (chart: Chart) => void,
  owner: OwnerReference | undefined,
): KubeObject[] {
  return synthesize(build).map((object) => {
    const { annotations: rendered, ...metadata } = object.metadata;
    return {
      ...object,
      metadata: {
        annotations: { ...rendered, [annotations.applied]: fingerprint(object) },
        ...metadata,
        ...(owner !== undefined && { ownerReferences: [owner] }),
      },
    };
  });
}
