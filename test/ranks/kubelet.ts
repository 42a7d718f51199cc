/**
 * The kubelets of a few nodes, for tests: pods bound to them run as local processes, each on a loopback address of its
 * own, with the stand-in for a rank in place of SGLang. Linux only: elsewhere 127.0.0.1 is the only loopback address.
 */
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { KubeConfig } from "@kubernetes/client-node";
import { destination, pino } from "pino";
import type { ApiResource, KubeObject } from "../../charts/kubernetes.ts";
import { resources } from "../../charts/resources.ts";
import { createClient } from "../../operator/runtime/client.ts";
import { systemClock as clock, pause } from "../../operator/runtime/clock.ts";
import { createConnection } from "../../operator/runtime/connection.ts";
import { isConflict, isInvalid, isNotFound } from "../../operator/runtime/errors.ts";
import { type Reflector, startReflector } from "../../operator/runtime/reflector.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import type { NodeObject } from "../controlplane/nodes.ts";
import { endpointSlices, loopback, sliceView, writeHosts } from "./dns.ts";
import { serveLogs } from "./log-server.ts";
import { createNode, heartbeat } from "./nodes.ts";
import { dnsName, type PodView, podView } from "./pod-view.ts";
import { type PodWorker, startPodWorker } from "./pod-worker.ts";

export interface KubeletOptions {
  readonly controlPlane: ControlPlane;
  readonly nodes: readonly NodeObject[];
  /** Probe periods and timeouts, grace, preStop sleeps and restart backoff are multiplied by it. */
  readonly timeScale: number;
  readonly heartbeatSeconds: number;
  readonly clusterDomain: string;
  /** A pod waits for its image until it is true. */
  readonly isPulled: (pod: PodView) => boolean;
  /** Settings of the stand-in for a pod. */
  readonly standIn: (pod: PodView) => Readonly<Record<string, string>>;
}

export interface Kubelet {
  /** Pods with something of them left on a node, in the order of their start; also those that only the node still knows. */
  pods(namespace: string): PodWorker[];
  /** Cuts the node's kubelet off from the API server; its pods run on and reach each other. */
  partition(node: string): void;
  heal(node: string): void;
  /** Kills every process. The control plane must still run. */
  stop(): Promise<void>;
}

interface Machine {
  readonly name: string;
  reachable: boolean;
}

export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const { controlPlane, timeScale, clusterDomain } = options;
  const stopped = new AbortController();
  const { signal } = stopped;
  const connection = createConnection(() => {
    const config = new KubeConfig();
    // Not the administrator's, so that the audit log tells the two apart.
    config.loadFromFile(controlPlane.kwokKubeconfig);
    return config;
  }, clock);
  const client = createClient(connection, {
    userAgent: "mini-kubelet",
    fieldManager: "kubelet",
    clock,
    random: Math.random,
  });
  const machines = new Map<string, Machine>();
  /** By the pod's UID, in the order of their start. */
  const running = new Map<string, { readonly worker: PodWorker; readonly machine: Machine }>();
  const hostsFile = join(controlPlane.directory, "hosts.json");
  // Other kubelets on this machine use other addresses.
  const network = `10.${randomInt(1, 64)}.`;
  let nextAddress = randomInt(1, 200) * 256 + 1;

  const logServer = await serveLogs(controlPlane, (namespace, name) =>
    [...running.values()]
      .findLast(({ worker, machine }) => {
        const { metadata } = worker.pod();
        return machine.reachable && metadata.namespace === namespace && metadata.name === name;
      })
      ?.worker.log(),
  );
  for (const object of options.nodes) {
    await createNode(client, object, logServer.port);
    machines.set(object.metadata.name, { name: object.metadata.name, reachable: true });
  }
  const heartbeats = [...machines.values()].map(beat);

  const watch = <T extends KubeObject>(
    resource: ApiResource,
    transform: (object: KubeObject) => T,
    onChange: () => void,
  ): Reflector<T> => {
    // What a test waits for in vain is explained there.
    const log = pino({ level: "error" }, destination(2));
    return startReflector({ client, resource, transform, onChange, clock, random: Math.random, log, signal });
  };
  writeHosts(hostsFile, [], clusterDomain);
  const slices = watch(
    endpointSlices,
    (object) => sliceView.parse(object),
    () => writeHosts(hostsFile, slices.list(), clusterDomain),
  );
  const pods = watch(resources.pods, (object) => podView.parse(object), look);

  /** Brings every node that is in touch in line with what the API server says. */
  function look(): void {
    const known = new Map(pods.list().map((pod) => [pod.metadata.uid, pod]));
    for (const [uid, { worker, machine }] of running) if (machine.reachable) worker.see(known.get(uid));
    for (const pod of known.values()) {
      const machine = machines.get(pod.spec.nodeName ?? "");
      const isNew = pod.status.phase === "Pending" && !running.has(pod.metadata.uid);
      if (machine?.reachable && isNew) start(pod, machine);
    }
  }

  function start(pod: PodView, machine: Machine): void {
    const { uid, namespace, name } = pod.metadata;
    const podIp = `${network}${nextAddress >> 8}.${nextAddress & 255}`;
    const address = loopback(podIp);
    nextAddress += 1;
    const ownName = dnsName(pod, clusterDomain);
    const worker = startPodWorker(pod, {
      directory: join(controlPlane.directory, "pods", `${namespace}_${name}_${uid}`),
      podIp,
      address,
      timeScale,
      env: {
        STANDIN_ADDRESS: address,
        STANDIN_HOSTS: hostsFile,
        ...(ownName !== undefined && { STANDIN_NAME: ownName }),
        ...options.standIn(pod),
      },
      isPulled: () => options.isPulled(pod),
      writeStatus: (seen, status) =>
        reach(machine, seen, async (ref) => {
          // The UID is a precondition: a successor of the same name is not touched.
          const patch = { metadata: { uid }, status };
          await client.patch(resources.pods, ref, patch, { subresource: "status", signal });
        }),
      remove: (seen) =>
        reach(machine, seen, async (ref) => {
          const preconditions = { uid };
          await client.delete(resources.pods, ref, { gracePeriodSeconds: 0, preconditions });
        }),
    });
    running.set(uid, { worker, machine });
    void worker.done.then(() => running.delete(uid));
    worker.see(pod);
  }

  async function reach(
    machine: Machine,
    { metadata: { namespace, name } }: PodView,
    write: (ref: { namespace: string; name: string }) => Promise<void>,
  ): Promise<void> {
    while (!machine.reachable && !signal.aborted) await delay(50);
    if (signal.aborted) return;
    try {
      await write({ namespace, name });
    } catch (error) {
      const replaced = isInvalid(error) && error.message.includes("metadata.uid");
      if (!replaced && !isNotFound(error) && !isConflict(error) && !signal.aborted) throw error;
    }
  }

  async function beat(machine: Machine): Promise<void> {
    while (!signal.aborted) {
      if (machine.reachable) await heartbeat(client, machine.name);
      await pause(clock, options.heartbeatSeconds * 1000, signal);
    }
  }

  function machineNamed(name: string): Machine {
    const found = machines.get(name);
    if (found === undefined)
      throw new Error(`no node ${name}; there are: ${[...machines.keys()].join(", ")}`);
    return found;
  }

  await Promise.all([slices.synced, pods.synced]);
  return {
    pods: (namespace) =>
      [...running.values()]
        .map(({ worker }) => worker)
        .filter((worker) => worker.pod().metadata.namespace === namespace),
    partition: (node) => {
      machineNamed(node).reachable = false;
    },
    heal: (node) => {
      machineNamed(node).reachable = true;
      look();
    },
    stop: async () => {
      stopped.abort();
      const workers = [...running.values()].map(({ worker }) => worker);
      for (const worker of workers) worker.abandon();
      const ends = await Promise.allSettled([
        ...workers.map(({ done }) => done),
        ...heartbeats,
        pods.stopped,
        slices.stopped,
      ]);
      logServer.stop();
      await connection.close();
      const failed = ends.find((each) => each.status === "rejected");
      if (failed !== undefined) throw failed.reason;
    },
  };
}
