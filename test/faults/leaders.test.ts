import { once } from "node:events";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { askApi, callApi } from "../controlplane/api.ts";
import { gpuNode } from "../controlplane/nodes.ts";
import { startCluster, type TestCluster } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { type RunningOperator, startOperator } from "../e2e/operator.ts";
import { type Deeds, deedsByNamespace, excess } from "../lifecycle/deeds.ts";
import { deploymentName, pro } from "../lifecycle/stories.ts";
import type { Action } from "./actions.ts";
import { leasePath, readLease } from "./operators.ts";
import { type FaultProxy, startProxy } from "./proxy.ts";
import { points } from "./scope.ts";
import { areReady, sweep } from "./tell.ts";

const nodes = [0, 1].map((index) => gpuNode({ kind: "H20", name: `gpu-${index}`, gpus: 65_536 }));
const spec = { ...pro, replicas: 2 };

/** An operator with a wire of its own. */
interface Rival {
  readonly operator: RunningOperator;
  readonly proxy: FaultProxy;
}

let cluster: TestCluster;
/** Writes it takes to bring up `spec`, and what was done. */
let calm: { readonly writes: number; readonly deeds: Deeds };
let count = 0;
const rivals: Rival[] = [];
const used: { namespace: string }[] = [];

/** A namespace that is swept after the test. */
async function inNamespace(namespace: string): Promise<void> {
  used.push({ namespace });
  await cluster.namespace(namespace);
  await cluster.apply(namespace, deploymentName, spec);
}

beforeAll(async () => {
  const startedAt = new Date();
  cluster = await startCluster(nodes);
  const { proxy } = await join({ standsBy: false });
  await inNamespace("calm");
  await cluster.becomesReady("calm", deploymentName);
  const deeds = (await deedsByNamespace(cluster.controlPlane, startedAt)).get("calm");
  if (deeds === undefined) throw new Error("nothing was done");
  calm = { writes: proxy.arrivals("calm").length, deeds };
  await leave();
});
afterAll(async () => {
  await leave();
  await cluster?.stop();
});
afterEach(async () => {
  await sweep({ cluster }, used.splice(0));
  await leave();
});

async function join({ standsBy, nodeArgs = [] }: { standsBy: boolean; nodeArgs?: string[] }): Promise<Rival> {
  count += 1;
  const proxy = await startProxy(cluster.controlPlane);
  proxy.weather = () => "pass";
  const name = `rival-${count}`;
  const operator = await startOperator(cluster.controlPlane, {
    name,
    server: proxy.server,
    workers: 100,
    standsBy,
    nodeArgs,
  });
  const rival = { operator, proxy };
  rivals.push(rival);
  return rival;
}

async function leave(): Promise<void> {
  for (const { operator, proxy } of rivals.splice(0)) {
    await operator.stop("SIGKILL");
    await proxy.close();
  }
  await askApi(cluster.controlPlane, leasePath, { method: "DELETE" });
}

const lead = async ({ operator }: Rival): Promise<void> => {
  await eventually("it leads", async () =>
    (await operator.log()).includes('"msg":"leading"') ? true : undefined,
  );
};

const ended = async ({ operator: { process: child } }: Rival): Promise<number | null> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode;
};

/** Each stuck write keeps one of the operator's eight connections. */
const stuckAtOnce = 6;

/** Some deployments, each stuck at another of the writes that it takes. @returns namespaces */
async function stuckAmidWrites({ proxy }: Rival, prefix: string, action: Action): Promise<string[]> {
  const stuck = Array.from({ length: stuckAtOnce }, (_, index) => {
    const write = 1 + Math.floor((index * calm.writes) / stuckAtOnce);
    return { namespace: `${prefix}-${write}`, write };
  });
  for (const { namespace, write } of stuck) {
    proxy.watch(namespace, { write, action });
    await inNamespace(namespace);
  }
  const namespaces = stuck.map(({ namespace }) => namespace);
  await eventually("every write is stuck", async () => {
    const coming = stuck.filter(({ namespace, write }) => proxy.arrivals(namespace).length < write);
    if (coming.length === 0) return true;
    throw new Error(coming.map(({ namespace }) => namespace).join(", "));
  });
  return namespaces;
}

/** What the first one wrote after the second had begun to. */
function overlap(first: Rival, second: Rival): string[] {
  const begun = second.proxy.all.find(({ stored }) => stored)?.at ?? Number.POSITIVE_INFINITY;
  return first.proxy.all
    .filter(({ at, stored }) => stored && at > begun)
    .map(({ namespace, what }) => `${namespace}: ${what}`);
}

/** Everything ends well, with no more creations and deletions than in the undisturbed run. */
async function endsWell(namespaces: readonly string[], from: Date): Promise<void> {
  await areReady(cluster, new Set(namespaces));
  const deeds = await deedsByNamespace(cluster.controlPlane, from);
  for (const namespace of namespaces) {
    const did = deeds.get(namespace);
    expect
      .soft(did && { more: excess(did, calm.deeds), half: did.halfOpened }, namespace)
      .toEqual({ more: [], half: [] });
  }
}

const lease = () => readLease(cluster.controlPlane);

/** Waits until the lease was renewed so often that its duration is long over. @returns every holder meanwhile */
async function holdersOverALease(): Promise<string[]> {
  const renewals = new Set<string>();
  const holders = new Set<string>();
  await eventually("the lease is renewed ten times", async () => {
    const { holderIdentity, renewTime } = await lease();
    holders.add(holderIdentity);
    renewals.add(renewTime);
    return renewals.size > 10 ? true : undefined;
  });
  return [...holders];
}

test("a leader whose wire is dead gives up by its own clock, and the next one finishes its work", async ({
  task,
}) => {
  const from = new Date();
  const first = await join({ standsBy: false });
  const second = await join({ standsBy: true });
  const dead = Promise.withResolvers<void>();
  const namespaces = await stuckAmidWrites(first, "dead-wire", { do: "swallow" });
  first.proxy.rule = () => ({ do: "swallow" });
  first.proxy.weather = () => ({ until: dead.promise });
  expect(await ended(first)).toBe(1);
  dead.resolve();
  await lead(second);
  await endsWell(namespaces, from);
  expect(overlap(first, second)).toEqual([]);
  points(task, 15, namespaces.length);
});

test("a leader that is stopped amid its writes and goes on after another leads writes nothing more", async ({
  task,
}) => {
  const from = new Date();
  const first = await join({ standsBy: false });
  const second = await join({ standsBy: true });
  const answers = Promise.withResolvers<void>();
  const namespaces = await stuckAmidWrites(first, "stopped", {
    do: "hold the answer",
    until: answers.promise,
  });
  first.operator.process.kill("SIGSTOP");
  answers.resolve();
  await lead(second);
  await eventually("the second works", async () => (second.proxy.all.length > 0 ? true : undefined));
  first.operator.process.kill("SIGCONT");
  expect(await ended(first)).toBe(1);
  await endsWell(namespaces, from);
  expect(overlap(first, second)).toEqual([]);
  points(task, 16, namespaces.length);
});

test("clocks that differ by ten minutes and jump change no leader", async ({ task }) => {
  const skew = (seconds: number, jump: number): string[] => [
    "--import",
    new URL(`skew.ts?seconds=${seconds}&jump=${jump}`, import.meta.url).href,
  ];
  const first = await join({ standsBy: false, nodeArgs: skew(-300, 600) });
  const second = await join({ standsBy: true, nodeArgs: skew(300, -600) });
  const { holderIdentity } = await lease();
  expect(await holdersOverALease()).toEqual([holderIdentity]);
  first.operator.process.kill("SIGUSR2");
  second.operator.process.kill("SIGUSR2");
  expect(await holdersOverALease()).toEqual([holderIdentity]);
  first.operator.process.kill("SIGUSR2");
  second.operator.process.kill("SIGUSR2");
  expect(await holdersOverALease()).toEqual([holderIdentity]);

  await inNamespace("skewed");
  await cluster.becomesReady("skewed", deploymentName);
  await first.operator.stop("SIGKILL");
  await lead(second);
  expect(overlap(first, second)).toEqual([]);
  points(task, 17, 3);
});

test("a lease that is deleted is taken again by its holder", async ({ task }) => {
  const first = await join({ standsBy: false });
  const second = await join({ standsBy: true });
  const { holderIdentity } = await lease();
  await callApi(cluster.controlPlane, leasePath, { method: "DELETE" });
  await eventually("it is there again", async () => ((await lease()).renewTime === "" ? undefined : true));
  expect(await holdersOverALease()).toEqual([holderIdentity]);
  expect(first.operator.process.exitCode).toBeNull();
  expect((await second.operator.log()).includes('"msg":"leading"')).toBe(false);
  points(task, 18);
});

test("a lease in somebody else's name ends the leader's term; when that one is silent, another leads", async ({
  task,
}) => {
  const first = await join({ standsBy: false });
  const second = await join({ standsBy: true });
  await callApi(cluster.controlPlane, leasePath, {
    method: "PATCH",
    body: { spec: { holderIdentity: "somebody" } },
    contentType: "application/merge-patch+json",
  });
  expect(await ended(first)).toBe(1);
  await lead(second);
  points(task, 18);
});

test("errors of the lease's API are outlasted for a while, and end the term when they go on", async ({
  task,
}) => {
  const first = await join({ standsBy: false });
  const second = await join({ standsBy: true });
  const { holderIdentity } = await lease();
  let refused = 0;
  const refuse =
    (limit: number) =>
    (asked: { resource: string }): Action | undefined =>
      asked.resource === "leases" && refused++ < limit
        ? { do: "answer", code: 500, reason: "InternalError" }
        : undefined;
  first.proxy.rule = refuse(2);
  expect(await holdersOverALease()).toEqual([holderIdentity]);
  expect(refused).toBeGreaterThan(2);
  first.proxy.rule = refuse(Number.POSITIVE_INFINITY);
  expect(await ended(first)).toBe(1);
  await lead(second);
  points(task, 18, 2);
});

test("a leader that is asked to stop finishes its writes and hands the lease over", async ({ task }) => {
  const from = new Date();
  const first = await join({ standsBy: false });
  const second = await join({ standsBy: true });
  const answers = Promise.withResolvers<void>();
  const namespaces = await stuckAmidWrites(first, "asked", {
    do: "hold the answer",
    until: answers.promise,
  });
  const stopped = first.operator.stop("SIGTERM");
  answers.resolve();
  expect(await stopped).toBe(0);
  expect(await first.operator.log()).toContain("lease released");
  // Not held any more: nobody had to wait until it ran out.
  await lead(second);
  expect((await lease()).leaseTransitions).toBe(1);
  await endsWell(namespaces, from);
  expect(overlap(first, second)).toEqual([]);
  points(task, 19, namespaces.length);
});
