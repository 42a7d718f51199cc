/** A control plane with an operator behind a proxy, and every story told once without a disturbance. */
import { gpuNode } from "../controlplane/nodes.ts";
import { startCluster } from "../e2e/cluster.ts";
import { type Deeds, deedsByNamespace } from "../lifecycle/deeds.ts";
import type { Story } from "../lifecycle/stories.ts";
import { operatorsOf } from "./operators.ts";
import { startProxy } from "./proxy.ts";
import type { State } from "./state.ts";
import { stories } from "./stories.ts";
import { type Stage, sweep, tell, workers } from "./tell.ts";

/** A story's undisturbed run. */
export interface Calm {
  /** As "PATCH pods/pro-0-1", in order. */
  readonly writes: readonly string[];
  readonly end: State;
  readonly deeds: Deeds;
}

export interface OwnStage extends Stage {
  stop(): Promise<void>;
}

export interface CalmStage extends OwnStage {
  calm(story: Story): Calm;
}

/** What was tried more often than in the undisturbed run, refused or not: an operator that knows its own writes makes none twice. */
export function repeated(writes: readonly string[], calm: readonly string[]): string[] {
  const count = (all: readonly string[], what: string): number => all.filter((each) => each === what).length;
  return [...new Set(writes)].filter(
    (what) => /^(POST|DELETE)/.test(what) && count(writes, what) > count(calm, what),
  );
}

const hopper = [0, 1, 2, 3].map((index) => gpuNode({ kind: "H20", name: `gpu-${index}`, gpus: 65_536 }));

export async function startStage(nodes = hopper): Promise<OwnStage> {
  const cluster = await startCluster(nodes);
  const proxy = await startProxy(cluster.controlPlane);
  proxy.weather = () => "pass";
  const operators = operatorsOf(cluster.controlPlane);
  await operators.start({ server: proxy.server, workers });
  const stop = async (): Promise<void> => {
    await operators.stop();
    await proxy.close();
    await cluster.stop();
  };
  return { cluster, proxy, operators, stop };
}

export async function startCalmStage(): Promise<CalmStage> {
  const startedAt = new Date();
  const stage = await startStage();
  const { cluster, proxy } = stage;
  const lanes = stories.map((story) => ({ story, namespace: `${story.name}-calm` }));
  const ends = await tell(stage, lanes);
  const done = await deedsByNamespace(cluster.controlPlane, startedAt);
  const calm = new Map(
    lanes.map(({ story, namespace }) => {
      const deeds = done.get(namespace);
      if (deeds === undefined) throw new Error(`the operator did nothing in ${namespace}`);
      const writes = proxy.arrivals(namespace).map(({ what }) => what);
      return [story, { writes, end: ends.get(namespace) ?? {}, deeds }];
    }),
  );
  await sweep(stage, lanes);
  return {
    ...stage,
    calm: (story) => {
      const found = calm.get(story);
      if (found === undefined) throw new Error(`${story.name} was not told`);
      return found;
    },
  };
}
