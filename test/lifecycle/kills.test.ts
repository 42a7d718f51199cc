import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gpuNode } from "../controlplane/nodes.ts";
import { startCluster, type TestCluster } from "../e2e/cluster.ts";
import { type Deeds, deedsByNamespace, excess } from "./deeds.ts";
import { type Operators, operatorsOf } from "./operators.ts";
import { sides, startWriteProxy, type WriteProxy } from "./proxy.ts";
import type { State } from "./state.ts";
import { type Story, stories } from "./stories.ts";
import { type Lane, type Outcome, tell, tellWithKill } from "./tell.ts";

/** `npm run test:lifecycle` cuts at every write; `make test` at every so many. */
const stride = process.env.LIFECYCLE === "full" ? 1 : 5;

const nodes = [0, 1, 2, 3].map((index) => gpuNode({ kind: "H20", name: `gpu-${index}`, gpus: 4096 }));
let cluster: TestCluster;
let proxy: WriteProxy;
let operators: Operators;

/** A story's undisturbed run. */
interface Calm {
  readonly writes: readonly string[];
  readonly end: State;
  readonly deeds: Deeds;
}
const calm = new Map<Story, Calm>();
let lanes: readonly Lane[] = [];
let outcome: Outcome = new Map();
let deeds: ReadonlyMap<string, Deeds> = new Map();

beforeAll(async () => {
  const startedAt = new Date();
  cluster = await startCluster(nodes);
  proxy = await startWriteProxy(cluster.controlPlane);
  operators = operatorsOf(cluster.controlPlane);
  await operators.start({ server: proxy.server, workers: 100 });
  const stage = { cluster, proxy, operators };

  const undisturbed = stories.map((story) => ({ story, namespace: `${story.name}-calm` }));
  const ends = await tell(stage, undisturbed);
  const done = await deedsByNamespace(cluster.controlPlane, startedAt);
  for (const { story, namespace } of undisturbed) {
    const [end, own] = [ends.get(namespace) ?? {}, done.get(namespace)];
    if (own === undefined) throw new Error(`the operator did nothing in ${namespace}`);
    calm.set(story, { writes: [...proxy.stored(namespace)], end, deeds: own });
  }
  lanes = [...calm].flatMap(([story, { writes }]) =>
    sides.flatMap((side, offset) =>
      writes.flatMap((_, index): Lane[] =>
        (index + offset) % stride === 0
          ? [{ story, namespace: `${story.name}-${side}-${index + 1}`, cut: { write: index + 1, side } }]
          : [],
      ),
    ),
  );
  outcome = await tellWithKill(stage, lanes, new Map([...calm].map(([story, { end }]) => [story, end])));
  deeds = await deedsByNamespace(cluster.controlPlane, startedAt);
});
afterAll(async () => {
  await operators?.stop();
  await proxy?.close();
  await cluster?.stop();
});

describe("an operator that is killed at any of its writes", () => {
  test.each(stories)("$name ends as if nothing had happened", (story) => {
    const { end, writes, deeds: calmDeeds } = calm.get(story) ?? {};
    const own = lanes.filter((lane) => lane.story === story);
    expect(own.length).toBeGreaterThan(0);
    for (const { namespace, cut } of own) {
      const where = `killed ${cut?.side} write ${cut?.write}, ${writes?.[(cut?.write ?? 0) - 1]}`;
      expect.soft(outcome.get(namespace) ?? {}, where).toEqual(end);
      const did = deeds.get(namespace);
      if (did === undefined || calmDeeds === undefined) throw new Error(`nothing was done in ${namespace}`);
      expect
        .soft({ more: excess(did, calmDeeds), twice: did.deletedTwice, half: did.halfOpened }, where)
        .toEqual({ more: [], twice: [], half: [] });
    }
  });

  test("was killed where it was meant to be", () => {
    const missed = lanes.filter(({ namespace }) => !proxy.isReached(namespace));
    console.info(table());
    expect(missed.map(({ namespace }) => namespace)).toEqual([]);
  });
});

/** Injection points of each story, for a person. */
function table(): string {
  const rows = [...calm].map(([story, { writes }]) => {
    const own = lanes.filter((lane) => lane.story === story);
    const reached = own.filter(({ namespace }) => proxy.isReached(namespace));
    return `${story.name.padEnd(12)}${String(writes.length).padStart(8)}${String(own.length).padStart(8)}${String(reached.length).padStart(8)}`;
  });
  return ["story         writes   kills reached", ...rows].join("\n");
}
