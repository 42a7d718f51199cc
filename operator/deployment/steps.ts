import type { ApiResource, KubeObject } from "../../charts/kubernetes.ts";

/** One write, with its reason in words: the log says it, and the Event where users should hear of it. */
export type Step = {
  readonly resource: ApiResource;
  readonly reason: string;
  /** Set on what takes capacity away or otherwise surprises: the Event's reason. */
  readonly event?: string;
} & (
  | { readonly do: "create"; readonly object: KubeObject }
  /** Replaces the object of the resourceVersion that it carries. */
  | { readonly do: "update"; readonly object: KubeObject }
  | { readonly do: "patch"; readonly name: string; readonly patch: readonly object[] }
  | { readonly do: "delete"; readonly name: string; readonly uid: string; readonly graceSeconds?: number }
);

/** Steps that may run side by side; a stage starts when the one before it is done. */
export type Stages = readonly (readonly Step[])[];

export const nameOf = (step: Step): string =>
  "object" in step ? (step.object.metadata.name ?? "") : step.name;
