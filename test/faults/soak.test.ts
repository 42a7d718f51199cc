import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { askApi } from "../controlplane/api.ts";
import { deploymentsPath } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { deploymentName, pro, restartContainer } from "../lifecycle/stories.ts";
import { type OwnStage, startStage } from "./calm.ts";
import { type Measured, metricsOf } from "./metrics.ts";
import { isFull, points, seed, seeded } from "./scope.ts";
import { areReady, rest, workers } from "./tell.ts";
import type { Edit } from "./watch-edits.ts";

/** `SOAK_MINUTES=30 npm run test:faults -- test/faults/soak.test.ts` goes on for longer. */
const minutes = Number(process.env.SOAK_MINUTES ?? (isFull ? 5 : 0));
const namespaces = Array.from({ length: 10 }, (_, index) => `soak-${index}`);
let stage: OwnStage;

beforeAll(async () => {
  stage = await startStage();
  for (const namespace of namespaces) {
    await stage.cluster.namespace(namespace);
    await stage.cluster.apply(namespace, deploymentName, pro);
  }
  await areReady(stage.cluster, new Set(namespaces));
});
afterAll(() => stage?.stop());

describe("converged deployments", () => {
  test("looked at a thousand times cost no write", async ({ task }) => {
    const { proxy, operators } = stage;
    expect(await rest(stage)).toEqual([]);
    await operators.stop();
    const operator = await operators.start({ server: proxy.server, workers, resyncSeconds: 1 });
    const before = proxy.all.length;
    const looks = isFull ? 1000 : 100;
    await eventually(
      "enough looks",
      async () => ((await metricsOf(operator)).reconciles > looks ? true : undefined),
      300,
    );
    expect(proxy.all.slice(before)).toEqual([]);
    points(task, 41, looks);
    await operators.stop();
    await operators.start({ server: proxy.server, workers });
  });
});

const wishes = [pro, { ...pro, replicas: 2 }, { ...pro, contextLength: 65_536 }, { ...pro, suspend: true }];
const edits: readonly Edit[] = ["cut", "twice", "swap", "torn", "gone", "error", { seconds: 2 }];
const codes = [409, 429, 500, 503, 504];

describe.runIf(minutes > 0)("a long time of faults", () => {
  test(
    `ends well at each checkpoint, with memory and sockets flat (seed ${seed})`,
    async ({ task }) => {
      const { cluster, proxy, operators } = stage;
      const random = seeded(seed);
      const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
      const measured: Measured[] = [];
      let injected = 0;
      const until = performance.now() + minutes * 60_000;
      while (performance.now() < until) {
        proxy.weather = ({ type }) => {
          if (type === "BOOKMARK" || random() > 0.01) return "pass";
          injected += 1;
          return pick(edits);
        };
        proxy.rule = ({ method, resource }) => {
          if (method === "GET" || resource === "leases" || random() > 0.1) return undefined;
          injected += 1;
          const kind = random();
          if (kind < 0.2) return { do: "lose" };
          if (kind < 0.4) return { do: "lose the answer" };
          if (kind < 0.5) return { do: "delay", seconds: 2 * random() };
          return { do: "answer", code: pick(codes), reason: "" };
        };
        for (let change = 0; change < 40; change += 1) {
          const namespace = pick(namespaces);
          const kind = random();
          if (kind < 0.5) await cluster.apply(namespace, deploymentName, pick(wishes));
          else if (kind < 0.6)
            await askApi(cluster.controlPlane, deploymentsPath(namespace, deploymentName), {
              method: "DELETE",
            });
          else if (await cluster.exists(`/api/v1/namespaces/${namespace}/pods/pro-0-1`))
            await restartContainer(cluster, namespace, "pro-0-1").catch(() => undefined);
          injected += 1;
        }
        proxy.weather = () => "pass";
        proxy.rule = undefined;
        for (const namespace of namespaces) await cluster.apply(namespace, deploymentName, pro);
        await areReady(cluster, new Set(namespaces), 180);
        measured.push(await metricsOf(operators.current()));
      }
      console.info(`${injected} faults and changes; at the checkpoints: ${JSON.stringify(measured)}`);
      expect(operators.current().process.exitCode).toBeNull();
      // The first third fills caches and the heap. A leak would show in every round after it.
      const third = Math.floor(measured.length / 3);
      const [before, after] = [measured.slice(third, 2 * third), measured.slice(-third)];
      const peak = (of: readonly Measured[], what: keyof Measured) =>
        Math.max(...of.map((each) => each[what]));
      const heapFloor = (of: readonly Measured[]) => Math.min(...of.map(({ heapBytes }) => heapBytes));
      expect(peak(after, "openFiles")).toBeLessThan(peak(before, "openFiles") + 20);
      expect(peak(after, "residentBytes")).toBeLessThan(1.2 * peak(before, "residentBytes"));
      expect(heapFloor(after)).toBeLessThan(1.2 * heapFloor(before));
      expect(await rest(stage)).toEqual([]);
      points(task, 42, injected);
    },
    minutes * 60_000 + 600_000,
  );
});
