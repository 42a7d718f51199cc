import type { OwnerReference } from "../../charts/kubernetes.ts";
import type { DeploymentSpec } from "../../crds/deployment.ts";
import type { PlatformSpec } from "../../crds/platform.ts";
import type { DeploymentStatus } from "../../crds/status.ts";
import type { Refusal } from "../../synth/serving-plan.ts";
import type { Revision } from "./frozen.ts";
import type { Group } from "./groups.ts";
import type { Child, ComputeDomain, Node, Pod, Workload } from "./objects.ts";
import type { Capacity } from "./placement.ts";
import type { GpuQuota } from "./quota.ts";

/** What a stored object says, or why it can't be read: a field of another version, or a hand in etcd. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

/** What is known when a deployment is looked at. Everything comes from caches that show the operator's own writes. */
export interface Observed {
  readonly name: string;
  readonly namespace: string;
  readonly owner: OwnerReference;
  readonly finalizers: readonly string[];
  /** Of the deployment: the wishes of people that Git doesn't own. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: Reading<DeploymentSpec>;
  /** As last written; undefined before the first report. */
  readonly status: DeploymentStatus | undefined;
  readonly platform: Reading<PlatformSpec | undefined>;
  /** The platform's wave of updates has come to this deployment, which is not on record yet. */
  readonly takesTurn: boolean;
  /** It is on record that the deployment takes up a changed plan. */
  readonly hasTurn: boolean;
  readonly revisions: readonly Revision[];
  readonly groups: readonly Group[];
  /** Pods whose group is gone: the garbage collector's, while their nodes answer. */
  readonly strays: readonly Pod[];
  /** Of its queue, one for a group; whoever controls them. */
  readonly gangs: readonly Child[];
  /** Kueue's, of the namespace. */
  readonly workloads: readonly Workload[];
  /** Optional APIs that the cluster doesn't serve, as "<plural> of <apiVersion>". */
  readonly absent: readonly string[];
  /** Services, disruption budgets and network policies that carry the deployment's label, whoever controls them. */
  readonly children: readonly Child[];
  /** Those that carry the deployment's label; "absent": the API server doesn't serve them. */
  readonly computeDomains: readonly ComputeDomain[] | "absent";
  /** Names of the groups that pods carry the labels of, whoever controls them. */
  readonly occupied: ReadonlySet<string>;
  /** Of the whole cluster. */
  readonly capacity: Capacity;
  /** Of the namespace. */
  readonly gpuQuotas: readonly GpuQuota[];
  /** Nodes that the pods are on, by name; one that is gone is missing. */
  readonly nodes: ReadonlyMap<string, Node>;
  /** Last sight of pods that are gone, by UID. */
  readonly tombstones: ReadonlyMap<string, Pod>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}
