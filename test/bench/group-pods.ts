import { KubeConfig } from "@kubernetes/client-node";
import type { Logger } from "pino";
import { resources } from "../../charts/resources.ts";
import { type Pod, podView } from "../../operator/deployment/objects.ts";
import { createClient } from "../../operator/runtime/client.ts";
import { systemClock as clock } from "../../operator/runtime/clock.ts";
import { createConnection } from "../../operator/runtime/connection.ts";
import { startReflector } from "../../operator/runtime/reflector.ts";
import type { ControlPlane } from "../controlplane/boot.ts";

/** A group of either controller: its object's name and namespace. */
export interface GroupRef {
  readonly namespace: string;
  readonly name: string;
}

/** Pods of all groups, as they are and as they came. */
export interface GroupPods {
  of(group: GroupRef): Pod[];
  /** Every pod of the group that there ever was, at its first sight, oldest first. */
  history(group: GroupRef): readonly Pod[];
  /** Calls back whenever a pod of the group changed; the result ends it. */
  onChange(group: GroupRef, callback: () => void): () => void;
  /** Full lists so far: after more than one, pods may have come and gone unseen. */
  lists(): number;
  stop(): Promise<void>;
}

const byGroup = "group";

/**
 * Watches every pod that has one of the labels.
 * @param groupLabels labels that hold the name of a pod's group.
 */
export async function watchGroupPods(
  controlPlane: ControlPlane,
  groupLabels: readonly string[],
  log: Logger,
): Promise<GroupPods> {
  const connection = createConnection(() => {
    const config = new KubeConfig();
    config.loadFromFile(controlPlane.kubeconfig);
    return config;
  }, clock);
  const random = Math.random;
  const options = { userAgent: "bench", fieldManager: "bench", clock, random };
  const closing = new AbortController();
  const histories = new Map<string, Pod[]>();
  const callbacks = new Map<string, Set<() => void>>();

  const keyOf = ({ namespace, name }: GroupRef): string => `${namespace}/${name}`;
  const keysOf = ({ metadata: { namespace = "", labels = {} } }: Pod): string[] =>
    groupLabels.flatMap((label) => {
      const name = labels[label];
      return name === undefined ? [] : [keyOf({ namespace, name })];
    });

  const pods = startReflector<Pod>({
    client: createClient(connection, options),
    clock,
    random,
    log,
    signal: closing.signal,
    resource: resources.pods,
    transform: (object) => podView.parse(object),
    indexes: { [byGroup]: keysOf },
    onChange: (old, current) => {
      const pod = current ?? old;
      for (const key of pod === undefined ? [] : keysOf(pod)) {
        if (old === undefined && current !== undefined)
          histories.set(key, [...(histories.get(key) ?? []), current]);
        for (const callback of callbacks.get(key) ?? []) callback();
      }
    },
  });
  await pods.synced;

  return {
    of: (group) => pods.byIndex(byGroup, keyOf(group)),
    history: (group) => histories.get(keyOf(group)) ?? [],
    onChange: (group, callback) => {
      const key = keyOf(group);
      const all = callbacks.get(key) ?? new Set();
      callbacks.set(key, all.add(callback));
      return () => all.delete(callback);
    },
    lists: pods.lists,
    stop: async () => {
      closing.abort();
      await pods.stopped;
      await connection.close();
    },
  };
}
