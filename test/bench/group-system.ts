import type { ApiResource, KubeObject } from "../../charts/kubernetes.ts";
import type { Pod } from "../../operator/deployment/objects.ts";
import type { GroupRef } from "./group-pods.ts";

/** A controller that keeps groups of pods whole, and how to use it. */
export interface GroupSystem {
  readonly name: string;
  /** Prefix of its namespaces. */
  readonly short: string;
  /** Its user in the audit log. */
  readonly user: string;
  /** What a user writes for one group. */
  readonly resource: ApiResource;
  /** StatefulSets that it makes for a group of two ranks. */
  readonly statefulSets: number;
  /** Names of its reconcilers that look at every group, in its metrics. */
  readonly reconcilers: readonly string[];
  /** Labels that every pod has: its group's name, its rank, its revision. */
  readonly labels: { readonly group: string; readonly rank: string; readonly revision: string };
  /** Annotation that pods of one formation share; undefined where there is no such thing. */
  readonly formation: string | undefined;
  /** The object that a user writes for a group. */
  objectOf(group: GroupRef, size: number): KubeObject;
  createGroups(groups: readonly GroupRef[], size: number): Promise<void>;
  /** Id of its process. */
  readonly pid: number;
  /** Its own metrics, in Prometheus' text format. */
  metrics(): Promise<string>;
  stop(): Promise<void>;
  /** Starts it again after a stop, and waits until it works. */
  start(): Promise<void>;
}

type Marks = Pick<GroupSystem, "labels" | "formation">;

export const rankOf = ({ labels }: Marks, { metadata }: Pod): number =>
  Number(metadata.labels?.[labels.rank] ?? Number.NaN);

const distinct = (values: readonly unknown[]): number => new Set(values).size;

const revisions = ({ labels }: Marks, pods: readonly Pod[]): (string | undefined)[] =>
  pods.map(({ metadata }) => metadata.labels?.[labels.revision]);

/** All ranks are there and Ready, of one revision and one formation. */
export function isWhole(marks: Marks, size: number, pods: readonly Pod[]): boolean {
  const { formation } = marks;
  return (
    pods.length === size &&
    distinct(pods.map((pod) => rankOf(marks, pod))) === size &&
    distinct(revisions(marks, pods)) === 1 &&
    (formation === undefined || distinct(pods.map((pod) => pod.metadata.annotations?.[formation])) === 1) &&
    pods.every(isReady)
  );
}

/** Whole again: as before, of the same revision, and none of the pods before is left. */
export function isRebuilt(marks: Marks, before: readonly Pod[], pods: readonly Pod[]): boolean {
  return (
    isWhole(marks, before.length, pods) &&
    distinct(revisions(marks, [...before, ...pods])) === 1 &&
    !pods.some((pod) => isOf(before, pod))
  );
}

/** Ranks from before and new ones side by side: they can't work together. */
export const isSplit = (before: readonly Pod[], pods: readonly Pod[]): boolean =>
  pods.some((pod) => isOf(before, pod)) && pods.some((pod) => !isOf(before, pod));

const isOf = (pods: readonly Pod[], { metadata }: Pod): boolean =>
  pods.some((pod) => pod.metadata.uid === metadata.uid);

export const isReady = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined &&
  status?.phase === "Running" &&
  (status.conditions?.some((each) => each.type === "Ready" && each.status === "True") ?? false);
