import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { alignColumns } from "../../operator/cli/table.ts";
import { type Deeds, deedsByNamespace, excess } from "../lifecycle/deeds.ts";
import { type CalmStage, startCalmStage } from "./calm.ts";
import { type Disturbance, disturbances, lostTouches } from "./disturbances.ts";
import { isFull, points } from "./scope.ts";
import type { State } from "./state.ts";
import { stories } from "./stories.ts";
import { type Lane, rest, sweep, tellDisturbed, workers } from "./tell.ts";

let stage: CalmStage;

beforeAll(async () => {
  stage = await startCalmStage();
});
afterAll(() => stage?.stop());

interface Wave {
  readonly name: string;
  readonly stride: number;
  readonly chosen: readonly Disturbance[];
}

/** Told side by side: more would only wait for each other. */
const besideEachOther = 4;
const wavesOf = (chosen: readonly Disturbance[]): Wave[] =>
  Array.from({ length: Math.ceil(chosen.length / besideEachOther) }, (_, index) => {
    const some = chosen.slice(index * besideEachOther, (index + 1) * besideEachOther);
    return { name: some.map(({ name }) => name).join(", "), stride: 1, chosen: some };
  });

const killing = disturbances.filter(({ kills }) => kills);
const short = disturbances.filter(({ kills, isLong }) => !kills && !isLong);
/** In the full run each disturbance at every write; else few writes. Never two of them in one lane. */
const waves: readonly Wave[] = isFull
  ? [
      ...killing.flatMap((each) => wavesOf([each])),
      ...wavesOf(short),
      ...wavesOf(disturbances.filter(({ isLong }) => isLong)),
    ]
  : [
      { name: "killed", stride: 11, chosen: killing },
      { name: "disturbed", stride: 47, chosen: short },
    ];

interface DisturbedLane extends Lane {
  readonly disturbance: Disturbance;
  /** The write that is hit, as it was in the undisturbed run. */
  readonly what: string;
  readonly end: State;
}

describe("an operator that is hit at any of its writes", () => {
  // Vitest cuts long names in a template, and the table of results goes by them.
  for (const { name, stride, chosen } of waves)
    test(`${name}: ends as if nothing had happened`, async ({ task }) => {
      const { cluster, proxy, operators } = stage;
      const startedAt = new Date();
      const lanes = lanesOf(chosen, stride);
      const kill = async (): Promise<void> => {
        await operators.kill();
        proxy.heal();
        await operators.start({ server: proxy.server, workers });
      };
      const outcome = await tellDisturbed(stage, lanes, {
        endOf: ({ namespace }) => lanes.find((lane) => lane.namespace === namespace)?.end ?? {},
        ...(chosen.some(({ kills }) => kills) ? { onceHit: kill } : {}),
        patienceSeconds: chosen.some(({ isLong }) => isLong) ? 1800 : 600,
      });
      const deeds = await deedsByNamespace(cluster.controlPlane, startedAt);
      for (const lane of lanes) {
        const { story, namespace, disturbance, fault, what, end } = lane;
        const where = `${story.name}, ${disturbance.name}: write ${fault?.write}, ${what}`;
        expect.soft(outcome.get(namespace) ?? {}, where).toEqual(end);
        const did = deeds.get(namespace);
        if (did === undefined) continue;
        expect.soft(beyond(lane, did), where).toEqual({ more: [], twice: [], half: [] });
      }
      expect(await lostTouches(cluster.controlPlane)).toEqual([]);
      expect(await rest(stage)).toEqual([]);

      console.info(perStory(lanes, proxy));
      const reached = lanes.filter(({ namespace }) => proxy.isReached(namespace));
      for (const each of chosen)
        points(task, each.row, reached.filter(({ disturbance }) => disturbance === each).length);
      expect(reached.length).toBeGreaterThanOrEqual(0.95 * lanes.length);
      await sweep(stage, lanes);
    });
});

/** What was done beyond the undisturbed run, save what the disturbance itself brings about. */
function beyond({ story, disturbance, what }: DisturbedLane, did: Deeds) {
  const more = excess(did, stage.calm(story).deeds);
  const { deletedTwice: twice, halfOpened: half } = did;
  // The pods of a deployment that is deleted go, and gates that are shut stay so.
  if (disturbance.endsEmpty)
    return { more: more.filter((deed) => !deed.includes(" pods/")), twice, half: [] };
  if (!disturbance.isAskedTwice || !what.startsWith("DELETE ")) return { more, twice, half };
  const again = `delete ${what.slice("DELETE ".length)}: 2 times`;
  return { more: more.filter((deed) => !deed.startsWith(again)), twice: [], half };
}

/** Of each story its writes, how many of them were to be hit, and how many were. */
function perStory(lanes: readonly DisturbedLane[], proxy: CalmStage["proxy"]): string {
  const rows = stories.map((story) => {
    const own = lanes.filter((lane) => lane.story === story);
    const hit = own.filter(({ namespace }) => proxy.isReached(namespace));
    return [story.name, stage.calm(story).writes.length, own.length, hit.length].map(String);
  });
  return alignColumns([["story", "writes", "to hit", "hit"], ...rows]).join("\n");
}

function lanesOf(chosen: readonly Disturbance[], stride: number): DisturbedLane[] {
  let count = 0;
  return chosen.flatMap((disturbance) =>
    stories.flatMap((story) => {
      const { writes, end } = stage.calm(story);
      return writes.flatMap((what, index): DisturbedLane[] => {
        // A story that holds a pod back can't end with nothing.
        if (disturbance.endsEmpty && story.prepare !== undefined) return [];
        if (disturbance.befalls?.(what, story.name) === false || count++ % stride !== 0) return [];
        const namespace = `${story.name}-${disturbances.indexOf(disturbance)}-${index + 1}`;
        const fault = { write: index + 1, ...disturbance.fault(stage.cluster.controlPlane) };
        return [{ story, namespace, fault, disturbance, what, end: disturbance.endsEmpty ? {} : end }];
      });
    }),
  );
}
