/** Stories told side by side, each in a namespace of its own. */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { callApi } from "../controlplane/api.ts";
import type { TestCluster } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { type State, statesByNamespace } from "../faults/state.ts";
import type { Operators } from "./operators.ts";
import type { Cut, WriteProxy } from "./proxy.ts";
import { deploymentName, type Story } from "./stories.ts";

export interface Lane {
  readonly story: Story;
  readonly namespace: string;
  /** Undefined: the undisturbed run. */
  readonly cut?: Cut;
}

export interface Stage {
  readonly cluster: TestCluster;
  readonly proxy: WriteProxy;
  readonly operators: Operators;
}

/** Namespaces as they are in the end, by name. */
export type Outcome = ReadonlyMap<string, State>;

/** Progress is told up to 5 s late: a state is the last one when nothing was written for longer. */
const quietMilliseconds = 6000;
const patienceSeconds = 180;

/** Tells every story to its end, without a disturbance. */
export async function tell(stage: Stage, lanes: readonly Lane[]): Promise<Outcome> {
  await begin(stage, lanes);
  await isQuiet(stage.proxy, lanes);
  return statesByNamespace(stage.cluster.controlPlane);
}

/**
 * Tells every story until its wire is cut, kills the operator, and lets a new one take over.
 * @param ends the end of each story; a lane that doesn't get there is in the outcome as it then is.
 */
export async function tellWithKill(
  stage: Stage,
  lanes: readonly Lane[],
  ends: ReadonlyMap<Story, State>,
): Promise<Outcome> {
  const { cluster, proxy, operators } = stage;
  const unfinished = (states: Outcome, among: readonly Lane[]): string[] =>
    among
      .filter(({ namespace, story }) => !isDeepStrictEqual(states.get(namespace) ?? {}, ends.get(story)))
      .map(({ namespace }) => namespace);

  await begin(stage, lanes);
  await eventually(
    "every lane reaches its cut",
    async () => {
      const coming = lanes.filter(({ namespace }) => !proxy.isReached(namespace));
      if (coming.length === 0) return true;
      // A run may have one report of progress less than another: a lane that has ended has nothing left to cut.
      const late = unfinished(await statesByNamespace(cluster.controlPlane), coming);
      if (late.length > 0) throw new Error(late.join(", "));
      return true;
    },
    patienceSeconds,
  );
  await operators.kill();
  proxy.heal();
  await operators.start({ server: proxy.server, workers: 100 });

  const deadline = performance.now() + patienceSeconds * 1000;
  for (;;) {
    await isQuiet(proxy, lanes);
    const states = await statesByNamespace(cluster.controlPlane);
    if (unfinished(states, lanes).length === 0 || performance.now() > deadline) return states;
  }
}

/** Brings every lane to where its story begins, says where its wire will be cut, and lets the user act. */
async function begin({ cluster, proxy }: Stage, lanes: readonly Lane[]): Promise<void> {
  for (const { namespace, story } of lanes) {
    await cluster.namespace(namespace);
    if (story.given !== undefined) await cluster.apply(namespace, deploymentName, story.given);
  }
  const given = lanes.filter(({ story }) => story.given !== undefined);
  await areReady(cluster, new Set(given.map(({ namespace }) => namespace)));
  await Promise.all(given.map(({ story, namespace }) => story.prepare?.(cluster, namespace)));
  await isQuiet(proxy, lanes);
  for (const { namespace, cut } of lanes) proxy.watch(namespace, cut);
  await Promise.all(lanes.map(({ story, namespace }) => story.act(cluster, namespace)));
}

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
      const { items } = deployments.parse(
        await callApi(cluster.controlPlane, "/apis/mimo.dev/v1alpha1/mimodeployments"),
      );
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

/** Waits until the operator has written nothing to these lanes for a while. */
async function isQuiet(proxy: WriteProxy, lanes: readonly Lane[]): Promise<void> {
  const count = (): number => lanes.reduce((sum, { namespace }) => sum + proxy.stored(namespace).length, 0);
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
