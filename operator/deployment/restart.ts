import { z } from "zod";
import type { KubeObject } from "../../charts/kubernetes.ts";
import { annotations } from "../../charts/names.ts";
import type { Group } from "./groups.ts";

/**
 * A restart that somebody asked for, on record on a group's StatefulSet before its pods go. The wish is any new value of the
 * deployment's annotation: comparing it needs no clock that two machines would have to agree on.
 */
export const restartRecord = z.object({
  /** The wish that was honoured last. */
  wish: z.string(),
  /** UIDs of the pods that go for it. */
  pods: z.array(z.string()),
});
export type RestartRecord = z.output<typeof restartRecord>;

/** Anybody may write anything into an annotation, and this is copied onto every group. */
const longestWish = 64;

export const restartWish = (wishes: Readonly<Record<string, string>>): string | undefined =>
  wishes[annotations.restart]?.slice(0, longestWish);

export const isRestartDue = ({ restart }: Group, wish: string | undefined): boolean =>
  wish !== undefined && restart?.wish !== wish;

/** Annotation of a group that has nothing older than the wish. */
export const restartMark = (
  wish: string | undefined,
  pods: readonly string[] = [],
): Record<string, string> =>
  wish === undefined ? {} : { [annotations.restarted]: JSON.stringify({ wish, pods }) };

/** A StatefulSet whose pods are all made anew: no restart is due for it. */
export const withRestartMark = (object: KubeObject, wish: string | undefined): KubeObject => ({
  ...object,
  metadata: {
    ...object.metadata,
    annotations: { ...object.metadata.annotations, ...restartMark(wish) },
  },
});
