import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { goodCases } from "../api/good.ts";
import { askApi } from "../controlplane/api.ts";
import { type GpuKind, gpuNode } from "../controlplane/nodes.ts";
import { deploymentsPath } from "../e2e/cluster.ts";
import { deploymentName, pro, type Story } from "../lifecycle/stories.ts";
import { type OwnStage, startStage } from "./calm.ts";
import { lasting } from "./lasting.ts";
import { isFull, points } from "./scope.ts";
import { type Outcome, rest, settle, sweep, tell } from "./tell.ts";

type Spec = Readonly<Record<string, unknown>>;

const specShape = z.looseObject({ replicas: z.int().nullish(), suspend: z.boolean().optional() });

/** Every field of the API with values that it takes. A thousand replicas would only show that the machine is small. */
const changes: readonly { title: string; spec: Spec }[] = goodCases.flatMap(([title, { kind, spec }]) => {
  const parsed = specShape.safeParse(spec);
  return kind === "MiMoDeployment" && parsed.success && (parsed.data.replicas ?? 1) < 100
    ? [{ title, spec: parsed.data }]
    : [];
});

/** What users get wrong and no schema can see. */
const mistakes: readonly { title: string; spec: Spec }[] = [
  {
    title: "a node label that no node has",
    spec: { scheduling: { nodeSelector: { "example.com/x": "y" } } },
  },
  { title: "a priority class that isn't there", spec: { scheduling: { priorityClassName: "urgent" } } },
  { title: "a scheduler that isn't there", spec: { scheduling: { schedulerName: "nobody" } } },
  { title: "a claim that isn't there", spec: { model: { persistentVolumeClaim: { claimName: "none" } } } },
  { title: "more memory than a node has", spec: { resources: { memory: "2048Ti" } } },
  {
    title: "an image that can't be pulled",
    spec: { image: { repository: "unreachable.example.com/sglang", tag: "v1" } },
  },
  { title: "an option that the plan owns", spec: { server: { extraArgs: ["--tp-size", "3"] } } },
].map(({ title, spec }) => ({ title, spec: { ...pro, ...spec } }));

/** What the API server itself refuses, by the schema or by the platform's limits. */
const refused: readonly { title: string; code: number; spec: Spec }[] = [
  { title: "no quantity", code: 422, spec: { resources: { memory: "10Qi" } } },
  { title: "a negative number of replicas", code: 422, spec: { replicas: -1 } },
  { title: "hardware that isn't there", code: 422, spec: { hardware: "X900" } },
  { title: "a host path that isn't allowed", code: 403, spec: { model: { hostPath: { path: "/etc" } } } },
].map(({ spec, ...each }) => ({ ...each, spec: { ...pro, ...spec } }));

const secondClique = "b2221497-dbce-4964-8826-684c3694fd45.1";
const kinds: readonly GpuKind[] = ["H20", "H100", "H200", "B200", "GB300"];
const nodes = kinds.flatMap((kind) =>
  [0, 1].map((index) => gpuNode({ kind, name: `gpu-${kinds.indexOf(kind)}${index}`, gpus: 4096 })),
);
/** A node has one IMEX channel: the deployment that was changed and the fresh one need a domain each. */
const secondDomain = [0, 1].map((index) =>
  gpuNode({ kind: "GB300", name: `gpu-second-${index}`, gpus: 4096, clique: secondClique }),
);
let stage: OwnStage;
let base: unknown;

beforeAll(async () => {
  stage = await startStage([...nodes, ...secondDomain]);
  base = lasting(
    (await tell(stage, [{ namespace: "base", story: applying("base", pro) }])).get("base") ?? {},
  );
});
afterAll(() => stage?.stop());

const applying = (name: string, spec: Spec, given?: Spec): Story => ({
  name,
  ...(given === undefined ? {} : { given }),
  act: (cluster, namespace) => cluster.apply(namespace, deploymentName, spec),
});

const conditionShape = z.object({
  conditions: z.array(z.object({ type: z.string(), status: z.string(), message: z.string() })).default([]),
});

async function conditionOf(namespace: string, type: string) {
  const { status } = await stage.cluster.get(deploymentsPath(namespace, deploymentName));
  return conditionShape.parse(status ?? {}).conditions.find((each) => each.type === type);
}

const basePath = deploymentsPath("base", deploymentName);

/** Status of the API server's answer when the deployment at the base is to become this. */
async function answerTo(spec: Spec, query = ""): Promise<number> {
  const body = {
    apiVersion: "mimo.dev/v1alpha1",
    kind: "MiMoDeployment",
    metadata: { name: deploymentName },
    spec,
  };
  const path = `${basePath}?fieldManager=user&force=true&${query}`;
  const contentType = "application/apply-patch+yaml";
  return (await askApi(stage.cluster.controlPlane, path, { method: "PATCH", body, contentType })).status;
}

test.for([
  { name: "any field that is changed and changed back", cases: changes, row: 27, are: "changes" },
  { name: "any mistake that is made and mended", cases: mistakes, row: 28, are: "mistakes" },
] as const)("$name leaves what a fresh deployment has", async ({ cases, row, are }, { task }) => {
  const some = cases.filter((_, index) => isFull || are === "mistakes" || index % 9 === 0);
  const taken = await Promise.all(some.map(({ spec }) => answerTo(spec, "dryRun=All")));
  // A platform has to allow some, and server-side apply takes no null.
  const chosen = some.filter((_, index) => taken[index] === 200);
  expect(chosen.length).toBeGreaterThan(0.6 * some.length);
  const there = chosen.map(({ title, spec }, index) => ({
    namespace: `${are}-there-${index}`,
    story: applying(title, spec, pro),
  }));
  const fresh = chosen.map(({ title, spec }, index) => ({
    namespace: `${are}-fresh-${index}`,
    story: applying(title, spec),
  }));
  await tell(stage, [...there, ...fresh]);
  const of = (outcome: Outcome, namespace: string): unknown => lasting(outcome.get(namespace) ?? {});
  // The operator has done its part by now; pods may still be on their way to Ready.
  const namespaces = [...there, ...fresh].map(({ namespace }) => namespace);
  const changed = await settle(stage, namespaces, (states) =>
    chosen.every((_, index) => {
      const end = of(states, `${are}-there-${index}`);
      return isDeepStrictEqual(end, of(states, `${are}-fresh-${index}`)) || isDeepStrictEqual(end, base);
    }),
  );
  for (const [index, { title }] of chosen.entries()) {
    const namespace = `${are}-there-${index}`;
    // A request that is refused as a whole leaves what serves as it was.
    const isRefused = (await conditionOf(namespace, "Accepted"))?.status === "False";
    const wanted = isRefused ? base : of(changed, `${are}-fresh-${index}`);
    expect.soft(of(changed, namespace), title).toEqual(wanted);
    if (are === "mistakes") {
      const ready = await conditionOf(`${are}-fresh-${index}`, "Ready");
      expect.soft(ready, title).toMatchObject({ status: "False", message: expect.stringMatching(/\w{3}/) });
    }
  }
  for (const { namespace } of there) await stage.cluster.apply(namespace, deploymentName, pro);
  await quietAsBase(there.map(({ namespace }) => namespace));
  expect(await rest(stage)).toEqual([]);
  points(task, row, chosen.length);
  await sweep(stage, [...there, ...fresh]);
});

async function quietAsBase(namespaces: readonly string[]): Promise<void> {
  const outcome = await settle(stage, namespaces, (states) =>
    namespaces.every((namespace) => isDeepStrictEqual(lasting(states.get(namespace) ?? {}), base)),
  );
  for (const namespace of namespaces)
    expect.soft(lasting(outcome.get(namespace) ?? {}), `${namespace}, back`).toEqual(base);
}

test("what the API server refuses changes nothing", async ({ task }) => {
  const { cluster } = stage;
  const { metadata } = await cluster.get(basePath);
  for (const { title, code, spec } of refused) expect.soft(await answerTo(spec), title).toBe(code);
  expect((await cluster.get(basePath)).metadata).toEqual(metadata);
  points(task, 28, refused.length);
});
