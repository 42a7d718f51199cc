/** Stories told side by side, each in a namespace of its own. */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { askApi, callApi } from "../controlplane/api.ts";
import { deploymentsPath, type TestCluster } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { deploymentName, type Story } from "../lifecycle/stories.ts";
import { metricsOf } from "./metrics.ts";
import type { Operators } from "./operators.ts";
import type { Fault, FaultProxy } from "./proxy.ts";
import { type State, statesByNamespace } from "./state.ts";

export interface Lane {
  readonly story: Story;
  readonly namespace: string;
  /** Undefined: nothing is done to its writes. */
  readonly fault?: Fault;
}

export interface Stage {
  readonly cluster: TestCluster;
  readonly proxy: FaultProxy;
  readonly operators: Operators;
}

/** Namespaces as they are in the end, by name. */
export type Outcome = ReadonlyMap<string, State>;

/** Hundreds of deployments are worked on side by side. */
export const workers = 100;
/** Progress is told up to 5 s late: a state is the last one when nothing was written for longer. */
const quietMilliseconds = 6000;
/** All of them form, and act, at once. */
const patienceSeconds = 600;

/** Tells every story to its end, without a disturbance. */
export async function tell(stage: Stage, lanes: readonly Lane[]): Promise<Outcome> {
  await begin(stage, lanes);
  await isQuiet(stage.proxy, namespacesOf(lanes));
  return statesByNamespace(stage.cluster.controlPlane);
}

export interface Disturbance {
  /** The end that a lane has to come to. */
  readonly endOf: (lane: Lane) => State;
  /** Every story is where it begins. */
  readonly onceBegun?: () => void;
  /** Done when every lane has met its fault. */
  readonly onceHit?: () => Promise<unknown>;
  /** From the last fault on, for faults that last: the operator waits longer with every try. */
  readonly patienceSeconds?: number;
}

/**
 * Tells every story with its fault.
 * @returns the end; a lane that doesn't come to its own end in time is in it as it then is.
 */
export async function tellDisturbed(
  stage: Stage,
  lanes: readonly Lane[],
  { endOf, onceBegun, onceHit, ...limits }: Disturbance,
): Promise<Outcome> {
  const { cluster, proxy } = stage;
  const unfinished = (states: Outcome, among: readonly Lane[]): string[] =>
    among
      .filter((lane) => !isDeepStrictEqual(states.get(lane.namespace) ?? {}, endOf(lane)))
      .map(({ namespace }) => namespace);

  await begin(stage, lanes, onceBegun);
  await eventually(
    "every lane reaches its fault",
    async () => {
      const coming = lanes.filter(({ namespace, fault }) => fault && !proxy.isReached(namespace));
      if (coming.length === 0) return true;
      // A run may have one report of progress less than another: a lane that has ended has nothing left to hit.
      const late = unfinished(await statesByNamespace(cluster.controlPlane), coming);
      if (late.length > 0) throw new Error(late.join(", "));
      return true;
    },
    patienceSeconds,
  );
  await onceHit?.();

  return settle(
    stage,
    namespacesOf(lanes),
    (states) => unfinished(states, lanes).length === 0,
    limits.patienceSeconds,
  );
}

const namespacesOf = (lanes: readonly Lane[]): string[] => lanes.map(({ namespace }) => namespace);

/** Waits until the operator has nothing more to write and all is as it should be. @returns how it is, in time or not */
export async function settle(
  { proxy, cluster }: Stage,
  namespaces: readonly string[],
  isRight: (states: Outcome) => boolean,
  timeoutSeconds = patienceSeconds,
): Promise<Outcome> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  for (;;) {
    await isQuiet(proxy, namespaces);
    const states = await statesByNamespace(cluster.controlPlane);
    if (isRight(states) || performance.now() > deadline) return states;
  }
}

/**
 * Starts the operator again and lets it look at every deployment several times.
 * @returns what it wrote: of deployments that are as they should be nothing
 */
export async function rest({ cluster, proxy, operators }: Stage): Promise<string[]> {
  await operators.stop();
  const before = proxy.all.length;
  const operator = await operators.start({ server: proxy.server, workers, resyncSeconds: 1 });
  const { items } = deployments.parse(await callApi(cluster.controlPlane, deploymentsEverywhere));
  await eventually("three resyncs", async () => {
    const { reconciles } = await metricsOf(operator);
    return reconciles >= 4 * items.length ? true : undefined;
  });
  const written = proxy.all.slice(before).map(({ namespace, what }) => `${namespace}: ${what}`);
  await operators.stop();
  await operators.start({ server: proxy.server, workers });
  return written;
}

/** Frees the cluster for other lanes. */
export async function sweep(
  { cluster }: Pick<Stage, "cluster">,
  lanes: readonly Pick<Lane, "namespace">[],
): Promise<void> {
  const remove = (path: string, body?: object) =>
    askApi(cluster.controlPlane, path, { method: "DELETE", ...(body === undefined ? {} : { body }) });
  for (const { namespace } of lanes) await remove(deploymentsPath(namespace, deploymentName));
  await eventually(
    "all deployments are gone",
    async () => {
      const { items } = deployments.parse(await callApi(cluster.controlPlane, deploymentsEverywhere));
      const left = lanes.filter((lane) =>
        items.some(({ metadata }) => metadata.namespace === lane.namespace),
      );
      return left.length === 0 ? true : undefined;
    },
    patienceSeconds,
  );
  // Some stories end with a pod that is held back.
  for (const { namespace } of lanes) {
    await remove(`/api/v1/namespaces/${namespace}/pods`, { gracePeriodSeconds: 0 });
    await remove(`/api/v1/namespaces/${namespace}`);
  }
}

/** Brings every lane to where its story begins, says what will befall its writes, and lets the user act. */
async function begin(
  { cluster, proxy }: Stage,
  lanes: readonly Lane[],
  onceBegun?: () => void,
): Promise<void> {
  for (const { namespace, story } of lanes) {
    await cluster.namespace(namespace);
    if (story.given !== undefined) await cluster.apply(namespace, deploymentName, story.given);
  }
  const given = lanes.filter(({ story }) => story.given !== undefined);
  await areReady(cluster, new Set(given.map(({ namespace }) => namespace)));
  await Promise.all(given.map(({ story, namespace }) => story.prepare?.(cluster, namespace)));
  await isQuiet(proxy, namespacesOf(lanes));
  for (const { namespace, fault } of lanes) proxy.watch(namespace, fault);
  onceBegun?.();
  await Promise.all(lanes.map(({ story, namespace }) => story.act(cluster, namespace)));
}

const deploymentsEverywhere = "/apis/mimo.dev/v1alpha1/mimodeployments";
const deployments = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ namespace: z.string(), generation: z.int() }),
      status: z
        .object({
          observedGeneration: z.int().optional(),
          conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
        })
        .prefault({}),
    }),
  ),
});

/** Waits until every deployment of these namespaces is Ready. */
export async function areReady(
  cluster: TestCluster,
  namespaces: ReadonlySet<string>,
  timeoutSeconds = patienceSeconds,
): Promise<void> {
  await eventually(
    "all are Ready",
    async () => {
      const { items } = deployments.parse(await callApi(cluster.controlPlane, deploymentsEverywhere));
      const waiting = items.filter(
        ({ metadata, status }) =>
          namespaces.has(metadata.namespace) &&
          !(
            status.observedGeneration === metadata.generation &&
            status.conditions.some(({ type, status }) => type === "Ready" && status === "True")
          ),
      );
      if (waiting.length === 0) return true;
      throw new Error(waiting.map(({ metadata }) => metadata.namespace).join(", "));
    },
    timeoutSeconds,
  );
}

/** Waits until the operator has written nothing to these namespaces for a while. */
async function isQuiet(proxy: FaultProxy, namespaces: readonly string[]): Promise<void> {
  const count = (): number => namespaces.reduce((sum, each) => sum + proxy.arrivals(each).length, 0);
  let [last, since] = [count(), performance.now()];
  await eventually(
    "the operator has nothing more to write",
    async () => {
      const now = count();
      if (now !== last) [last, since] = [now, performance.now()];
      return performance.now() - since > quietMilliseconds ? true : undefined;
    },
    patienceSeconds,
  );
}
