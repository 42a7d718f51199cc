import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "../controlplane/api.ts";
import { deploymentsPath } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { addressOf } from "../e2e/metrics.ts";
import { deedsByNamespace, excess } from "../lifecycle/deeds.ts";
import { deploymentName, pro } from "../lifecycle/stories.ts";
import { type CalmStage, repeated, startCalmStage } from "./calm.ts";
import { isFull, points, seed, seeded } from "./scope.ts";
import { stories } from "./stories.ts";
import { areReady, rest, sweep, tellDisturbed, workers } from "./tell.ts";
import type { Edit } from "./watch-edits.ts";

let stage: CalmStage;

beforeAll(async () => {
  stage = await startCalmStage();
});
afterAll(() => stage?.stop());

interface Kind {
  readonly name: string;
  readonly row: number;
  readonly edit: Edit;
  /** Of how many events one is hit: those that end a watch are rarer, since it has to begin again. */
  readonly everyNth: number;
}

const late = isFull ? 30 : 5;
const kinds: readonly Kind[] = [
  { name: "connection breaks before an event", row: 9, edit: "cut", everyNth: 30 },
  { name: "events come twice", row: 10, edit: "twice", everyNth: 5 },
  { name: "events change places", row: 10, edit: "swap", everyNth: 20 },
  { name: `events come ${late} s late`, row: 10, edit: { seconds: late }, everyNth: 60 },
  { name: "connection ends within an event", row: 12, edit: "torn", everyNth: 30 },
  { name: "410 in the stream", row: 12, edit: "gone", everyNth: 30 },
  { name: "500 in the stream", row: 12, edit: "error", everyNth: 30 },
];
/** By itself each in the full run, with many lanes; else all at once. */
const weathers = isFull
  ? kinds.map((kind) => ({ name: kind.name, chosen: [kind], copies: 5 }))
  : [{ name: "all kinds", chosen: kinds, copies: 2 }];

describe("a watch that is disturbed", () => {
  test.for(weathers)(
    `$name: all ends as if nothing had happened (seed ${seed})`,
    async (weather, { task }) => {
      const { cluster, proxy } = stage;
      const { name, chosen, copies } = weather;
      const startedAt = new Date();
      const random = seeded(seed);
      const hits = new Map<Kind, number>();
      const weatherOfKinds: typeof proxy.weather = ({ type }) => {
        if (type === "BOOKMARK") return "pass";
        const kind = chosen[Math.floor(random() * chosen.length)];
        if (kind === undefined || random() * kind.everyNth > 1) return "pass";
        hits.set(kind, (hits.get(kind) ?? 0) + 1);
        return kind.edit;
      };
      const lanes = Array.from({ length: copies }, (_, copy) =>
        stories.map((story) => ({ story, namespace: `${story.name}-w${weathers.indexOf(weather)}-${copy}` })),
      ).flat();
      const outcome = await tellDisturbed(stage, lanes, {
        endOf: ({ story }) => stage.calm(story).end,
        // Not before: what is late would be counted with the story.
        onceBegun: () => {
          proxy.weather = weatherOfKinds;
        },
      });
      proxy.weather = () => "pass";
      const deeds = await deedsByNamespace(cluster.controlPlane, startedAt);
      for (const { story, namespace } of lanes) {
        const where = `${story.name}, ${name}`;
        expect.soft(outcome.get(namespace) ?? {}, where).toEqual(stage.calm(story).end);
        const did = deeds.get(namespace);
        const more = did && excess(did, stage.calm(story).deeds);
        const writes = stage.proxy.arrivals(namespace).map(({ what }) => what);
        // Between two that changed places a cache is wrong. What is asked for again is then refused, and counts no deed.
        const again = chosen.some(({ edit }) => edit === "swap")
          ? []
          : repeated(writes, stage.calm(story).writes);
        expect.soft({ more, again, half: did?.halfOpened }, where).toEqual({ more: [], again: [], half: [] });
      }
      expect(await rest(stage)).toEqual([]);
      for (const [{ row }, count] of hits) points(task, row, count);
      expect([...hits.keys()].map((kind) => kind.name).sort()).toEqual(
        chosen.map((kind) => kind.name).sort(),
      );
      await sweep(stage, lanes);
    },
  );
});

describe("what came and went while the operator saw nothing", () => {
  test("leaves nothing to do where it cancels out, and costs one rebuild where a rank was replaced", async ({
    task,
  }) => {
    const { cluster, proxy } = stage;
    const names = ["ghost", "back-and-forth", "edited", "replaced"] as const;
    for (const name of names) {
      await cluster.namespace(name);
      if (name !== "ghost") await cluster.apply(name, deploymentName, pro);
    }
    const ready = new Set<string>(names.filter((name) => name !== "ghost"));
    await areReady(cluster, ready);
    const uids = async (namespace: string): Promise<string[]> =>
      (await cluster.pods(namespace)).map(({ metadata }) => metadata.uid).sort();
    const before = new Map(await Promise.all(names.map(async (name) => [name, await uids(name)] as const)));

    const sight = Promise.withResolvers<void>();
    proxy.weather = () => ({ until: sight.promise, isGone: true });
    for (const name of names) proxy.watch(name);
    const { apply, controlPlane } = cluster;
    await apply("ghost", deploymentName, pro);
    await callApi(controlPlane, deploymentsPath("ghost", deploymentName), { method: "DELETE" });
    await apply("back-and-forth", deploymentName, { ...pro, replicas: 3 });
    await apply("back-and-forth", deploymentName, pro);
    await apply("edited", deploymentName, { ...pro, contextLength: 65_536 });
    await apply("edited", deploymentName, pro);
    const rank = "/api/v1/namespaces/replaced/pods/pro-0-1";
    await callApi(controlPlane, rank, { method: "DELETE" });
    await eventually("the next rank 1", async () => {
      const { metadata } = await cluster.get(rank);
      return before.get("replaced")?.includes(metadata.uid) === true ? undefined : true;
    });
    sight.resolve();
    proxy.weather = () => "pass";

    await areReady(cluster, ready);
    await eventually("the replaced group is rebuilt", async () => {
      const now = await uids("replaced");
      return now.length === 2 && now.every((uid) => before.get("replaced")?.includes(uid) === false)
        ? true
        : undefined;
    });
    await areReady(cluster, ready);
    for (const name of ["back-and-forth", "edited"] as const)
      expect(await uids(name), name).toEqual(before.get(name));
    const writes = (name: string): string[] => proxy.arrivals(name).map(({ what }) => what);
    expect(writes("ghost")).toEqual([]);
    for (const name of ["back-and-forth", "edited"])
      expect(
        writes(name).filter((what) => !what.endsWith("/status")),
        name,
      ).toEqual([]);
    expect(await rest(stage)).toEqual([]);
    points(task, 13, names.length);
    await sweep(
      stage,
      names.map((namespace) => ({ namespace })),
    );
  });
});

describe.runIf(isFull)("watches that fall silent", () => {
  test("are given up after a while, /readyz says so, and what was missed is made up for", async ({
    task,
  }) => {
    const { cluster, proxy, operators } = stage;
    await operators.stop();
    const operator = await operators.start({ server: proxy.server, workers });
    const address = await addressOf(operator);
    const readyz = async (): Promise<number> => (await fetch(`${address}/readyz`)).status;
    expect(await readyz()).toBe(200);
    const thaw = Promise.withResolvers<void>();
    proxy.weather = () => ({ until: thaw.promise });
    await cluster.namespace("frozen");
    await cluster.apply("frozen", deploymentName, pro);
    // New watches are silent, too, until it shows.
    await eventually("/readyz says so", async () => ((await readyz()) === 500 ? true : undefined), 300);
    proxy.weather = () => "pass";
    await eventually("all is well again", async () => ((await readyz()) === 200 ? true : undefined), 300);
    await areReady(cluster, new Set(["frozen"]));
    thaw.resolve();
    points(task, 11);
    await sweep(stage, [{ namespace: "frozen" }]);
  });
});
