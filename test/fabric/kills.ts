/** Tells stories undisturbed, then again with the operator killed at each of their writes, and keeps what is to be compared. */
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { TestCluster } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import type { Action } from "../faults/actions.ts";
import type { Calm } from "../faults/calm.ts";
import { statesByNamespace } from "../faults/state.ts";
import { type Lane, type Outcome, type Stage, tell, tellDisturbed, workers } from "../faults/tell.ts";
import { type Deeds, deedsByNamespace } from "../lifecycle/deeds.ts";
import type { Story } from "../lifecycle/stories.ts";

/** Where the wire breaks: the write never arrives, or it is stored and its answer is lost. */
const sides: readonly { readonly side: string; readonly action: Action }[] = [
  { side: "before", action: { do: "lose" } },
  { side: "after", action: { do: "lose the answer" } },
];

export interface KillLane extends Lane {
  /** In words. */
  readonly where: string;
}

export interface Kills {
  readonly calm: ReadonlyMap<Story, Calm>;
  readonly lanes: readonly KillLane[];
  readonly outcome: Outcome;
  readonly deeds: ReadonlyMap<string, Deeds>;
  /** Injection points of each story, for a person. */
  readonly table: string;
}

/** NVIDIA's controller takes its time after the operator's last write: how things are once nothing moves any more. */
async function atRest({ controlPlane }: TestCluster): Promise<Outcome> {
  let before = await statesByNamespace(controlPlane);
  return eventually(
    "nothing moves any more",
    async () => {
      await delay(restMilliseconds);
      const now = await statesByNamespace(controlPlane);
      if (isDeepStrictEqual(before, now)) return now;
      before = now;
      return undefined;
    },
    300,
  );
}
const restMilliseconds = 10_000;

export async function killAtWrites(stage: Stage, stories: readonly Story[]): Promise<Kills> {
  const { cluster, proxy, operators } = stage;
  const startedAt = new Date();
  const start = () => operators.start({ server: proxy.server, workers });
  await start();
  const undisturbed = stories.map((story) => ({ story, namespace: `${story.name}-calm` }));
  await tell(stage, undisturbed);
  const ends = await atRest(cluster);
  const done = await deedsByNamespace(cluster.controlPlane, startedAt);
  const calm = new Map<Story, Calm>();
  for (const { story, namespace } of undisturbed) {
    const [end, own] = [ends.get(namespace) ?? {}, done.get(namespace)];
    if (own === undefined) throw new Error(`the operator did nothing in ${namespace}`);
    calm.set(story, { writes: proxy.arrivals(namespace).map(({ what }) => what), end, deeds: own });
  }
  const lanes = [...calm].flatMap(([story, { writes }]) =>
    sides.flatMap(({ side, action }) =>
      writes.map(
        (what, index): KillLane => ({
          story,
          namespace: `${story.name}-${side}-${index + 1}`,
          fault: { write: index + 1, action, isTheEnd: true },
          where: `killed ${side} write ${index + 1}, ${what}`,
        }),
      ),
    ),
  );
  const outcome = await tellDisturbed(stage, lanes, {
    endOf: ({ story }) => calm.get(story)?.end ?? {},
    onceHit: async () => {
      await operators.kill();
      proxy.heal();
      await start();
    },
  });
  const rows = [...calm].map(([story, { writes }]) => {
    const own = lanes.filter((lane) => lane.story === story);
    const reached = own.filter(({ namespace }) => proxy.isReached(namespace));
    const numbers = [writes.length, own.length, reached.length].map((each) => String(each).padStart(8));
    return `${story.name.padEnd(12)}${numbers.join("")}`;
  });
  return {
    calm,
    lanes,
    outcome,
    deeds: await deedsByNamespace(cluster.controlPlane, startedAt),
    table: ["story         writes   kills reached", ...rows].join("\n"),
  };
}
