/** Tells stories undisturbed, then again with the operator killed at their writes, and keeps what is to be compared. */

import type { State } from "../faults/state.ts";
import { type Deeds, deedsByNamespace } from "./deeds.ts";
import { sides } from "./proxy.ts";
import type { Story } from "./stories.ts";
import { type Lane, type Outcome, type Stage, tell, tellWithKill } from "./tell.ts";

/** A story's undisturbed run. */
export interface Calm {
  readonly writes: readonly string[];
  readonly end: State;
  readonly deeds: Deeds;
}

export interface Kills {
  readonly calm: ReadonlyMap<Story, Calm>;
  readonly lanes: readonly Lane[];
  readonly outcome: Outcome;
  readonly deeds: ReadonlyMap<string, Deeds>;
  /** Injection points of each story, for a person. */
  readonly table: string;
}

/** @param stride cuts at every so many writes of a story */
export async function killAtWrites(stage: Stage, stories: readonly Story[], stride: number): Promise<Kills> {
  const { cluster, proxy, operators } = stage;
  const startedAt = new Date();
  await operators.start({ server: proxy.server, workers: 100 });
  const undisturbed = stories.map((story) => ({ story, namespace: `${story.name}-calm` }));
  const ends = await tell(stage, undisturbed);
  const done = await deedsByNamespace(cluster.controlPlane, startedAt);
  const calm = new Map<Story, Calm>();
  for (const { story, namespace } of undisturbed) {
    const [end, own] = [ends.get(namespace) ?? {}, done.get(namespace)];
    if (own === undefined) throw new Error(`the operator did nothing in ${namespace}`);
    calm.set(story, { writes: [...proxy.stored(namespace)], end, deeds: own });
  }
  const lanes = [...calm].flatMap(([story, { writes }]) =>
    sides.flatMap((side, offset) =>
      writes.flatMap((_, index): Lane[] =>
        (index + offset) % stride === 0
          ? [{ story, namespace: `${story.name}-${side}-${index + 1}`, cut: { write: index + 1, side } }]
          : [],
      ),
    ),
  );
  const outcome = await tellWithKill(
    stage,
    lanes,
    new Map([...calm].map(([story, { end }]) => [story, end])),
  );
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
