import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { annotations, labels } from "../../charts/names.ts";
import { askApi, callApi } from "../controlplane/api.ts";
import type { Stored } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { deploymentName, pro } from "../lifecycle/stories.ts";
import { type OwnStage, startStage } from "./calm.ts";
import { at, mutations, ownedFields, type Path, pointer } from "./owned-fields.ts";
import { isFull, points } from "./scope.ts";
import { areReady, rest, sweep } from "./tell.ts";

let stage: OwnStage;

beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage?.stop());

const collections = {
  Services: "/api/v1/namespaces/NAMESPACE/services",
  StatefulSets: "/apis/apps/v1/namespaces/NAMESPACE/statefulsets",
  ControllerRevisions: "/apis/apps/v1/namespaces/NAMESPACE/controllerrevisions",
  PodDisruptionBudgets: "/apis/policy/v1/namespaces/NAMESPACE/poddisruptionbudgets",
  NetworkPolicies: "/apis/networking.k8s.io/v1/namespaces/NAMESPACE/networkpolicies",
} as const;
type Kind = keyof typeof collections;
const kinds = Object.keys(collections) as Kind[];

/** The operator's own children of one kind: StatefulSets keep ControllerRevisions, too, under the labels of their pods. */
async function childrenOf(namespace: string, kind: Kind): Promise<{ path: string; object: Stored }[]> {
  const collection = collections[kind].replace("NAMESPACE", namespace);
  const label = kind === "ControllerRevisions" ? labels.revisionOf : labels.deployment;
  const objects = await stage.cluster.list(collection);
  return objects
    .filter(({ metadata }) => at(metadata, ["labels", label]) !== undefined)
    .map((object) => ({ path: `${collection}/${object.metadata.name}`, object }));
}

async function serve(namespaces: readonly string[]): Promise<void> {
  for (const namespace of namespaces) {
    await stage.cluster.namespace(namespace);
    await stage.cluster.apply(namespace, deploymentName, pro);
  }
  await areReady(stage.cluster, new Set(namespaces));
}

const uids = async (namespace: string): Promise<string[]> =>
  (await stage.cluster.pods(namespace)).map(({ metadata }) => metadata.uid).sort();

/** Records of what was done: there is no plan to restore them from. */
const records = [annotations.formation, annotations.recovery, annotations.stopping, annotations.failed];
const isRecord = (path: Path): boolean =>
  path[1] === "annotations" && records.some((record) => record === path[2]);

/**
 * What isn't rendered but filled in by the API server could be anybody's. Of a revision its number and the record of what was
 * applied have no other copy.
 */
const leftAlone = [
  "StatefulSets /spec/template/spec/containers/0/readinessProbe/successThreshold",
  "StatefulSets /spec/template/spec/containers/0/terminationMessagePath",
  "StatefulSets /spec/template/spec/schedulerName",
  `ControllerRevisions ${pointer(["metadata", "annotations", annotations.applied])}`,
  "ControllerRevisions /revision",
];

describe("a field that somebody changes", () => {
  test("of any child is put back, what others added is kept, and no pod is touched", async ({ task }) => {
    const namespaces = kinds.map((kind) => `drift-${kind.toLowerCase()}`);
    await serve(namespaces);
    const before = new Map(
      await Promise.all(namespaces.map(async (name) => [name, await uids(name)] as const)),
    );
    const results = await Promise.all(
      kinds.map(async (kind) => {
        const all = await childrenOf(`drift-${kind.toLowerCase()}`, kind);
        expect(all.length, kind).toBeGreaterThan(0);
        const changed = await Promise.all(all.map(({ path }) => driftEverywhere(path)));
        return { kind, changed: changed.flat() };
      }),
    );
    const of = (state: Drift["state"]): string[] =>
      results.flatMap(({ kind, changed }) =>
        changed.filter((each) => each.state === state).map(({ path }) => `${kind} ${path}`),
      );
    console.info(
      `${of("restored").length} fields put back, ${of("refused").length} guarded by the API server`,
    );
    expect(of("left").filter((field) => !leftAlone.includes(field))).toEqual([]);
    expect(of("restored").length).toBeGreaterThan(isFull ? 80 : 20);
    for (const name of namespaces) expect(await uids(name), name).toEqual(before.get(name));
    expect(await rest(stage)).toEqual([]);
    points(task, 20, of("restored").length);
    points(
      task,
      23,
      of("restored").filter((path) => path.includes("/ownerReferences/") || path.includes("/labels/")).length,
    );
    await sweep(
      stage,
      namespaces.map((namespace) => ({ namespace })),
    );
  });

  test("by server-side apply with force is put back, and the other manager's own fields stay", async ({
    task,
  }) => {
    const { cluster } = stage;
    const namespace = "applied";
    await serve([namespace]);
    const path = `/api/v1/namespaces/${namespace}/services/${deploymentName}`;
    const before = await cluster.get(path);
    const theirs = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: deploymentName, labels: { theirs: "kept", [labels.deployment]: "other" } },
      spec: { sessionAffinity: "ClientIP", publishNotReadyAddresses: true },
    };
    await callApi(cluster.controlPlane, `${path}?fieldManager=gitops&force=true`, {
      method: "PATCH",
      body: theirs,
      contentType: "application/apply-patch+yaml",
    });
    await eventually("our label is back", async () => {
      const { metadata } = await cluster.get(path);
      return at(metadata, ["labels", labels.deployment]) === deploymentName ? true : undefined;
    });
    const after = await cluster.get(path);
    expect(after.metadata).toMatchObject({ uid: before.metadata.uid, labels: { theirs: "kept" } });
    expect(at(after, ["spec", "sessionAffinity"])).toBe("ClientIP");
    expect(await rest(stage)).toEqual([]);
    points(task, 24);
    await sweep(stage, [{ namespace }]);
  });
});

interface Drift {
  readonly path: string;
  /** `refused`: the API server itself keeps the field as it is. */
  readonly state: "restored" | "refused" | "left";
}

/** Changes one owned field of an object after the other, and waits each time until it is as it was. */
async function driftEverywhere(path: string): Promise<Drift[]> {
  const { cluster } = stage;
  const theirs = { metadata: { annotations: { theirs: "kept" } } };
  await callApi(cluster.controlPlane, path, {
    method: "PATCH",
    body: theirs,
    contentType: "application/merge-patch+json",
  });
  const { metadata } = await cluster.get(path);
  const owned = ownedFields(await cluster.get(path), "mimo-operator").filter((each) => !isRecord(each));
  // By its labels a child is found.
  const chosen = owned.filter((field, index) => isFull || index % 6 === 0 || field[1] === "labels");
  const drifts: Drift[] = [];
  for (const field of chosen) drifts.push({ path: pointer(field), state: await drift(path, field) });
  const now = await cluster.get(path);
  expect(now.metadata).toMatchObject({ uid: metadata.uid, annotations: { theirs: "kept" } });
  return drifts;
}

async function drift(path: string, field: Path): Promise<Drift["state"]> {
  const { cluster } = stage;
  const before = at(await cluster.get(path), field);
  for (const patch of mutations(field, before)) {
    const { status } = await askApi(cluster.controlPlane, path, {
      method: "PATCH",
      body: [patch],
      contentType: "application/json-patch+json",
    });
    if (status >= 300) continue;
    try {
      await eventually(
        `${path} ${pointer(field)}`,
        async () => (isDeepStrictEqual(at(await cluster.get(path), field), before) ? true : undefined),
        30,
      );
      return "restored";
    } catch {
      return "left";
    }
  }
  return "refused";
}

describe("a child that somebody deletes", () => {
  const policies = ["Background", "Foreground", "Orphan"] as const;
  const cases = kinds.flatMap((kind) => policies.map((policy) => ({ kind, policy })));

  test("is made once more, in whatever way it was deleted, and all are Ready again", async ({ task }) => {
    const { cluster, proxy } = stage;
    const named = cases.map((each) => ({ ...each, namespace: `${each.kind}-${each.policy}`.toLowerCase() }));
    const namespaces = new Set(named.map(({ namespace }) => namespace));
    await serve([...namespaces]);
    let deleted = 0;
    const pods = new Map<string, string[]>();
    const children = new Map<string, string[]>();
    for (const { kind, policy, namespace } of named) {
      const all = await childrenOf(namespace, kind);
      pods.set(namespace, await uids(namespace));
      children.set(
        namespace,
        all.map(({ object }) => object.metadata.uid),
      );
      proxy.watch(namespace);
      for (const { path } of all)
        await callApi(cluster.controlPlane, path, { method: "DELETE", body: { propagationPolicy: policy } });
      deleted += all.length;
    }
    const isMadeAnew = async ({ kind, namespace }: (typeof named)[number]): Promise<boolean> => {
      const [old = [], all] = [children.get(namespace), await childrenOf(namespace, kind)];
      return all.length === old.length && all.every(({ object }) => !old.includes(object.metadata.uid));
    };
    await eventually(
      "every child is made anew",
      async () => {
        const states = await Promise.all(named.map(isMadeAnew));
        const missing = named.filter((_, index) => !states[index]).map(({ namespace }) => namespace);
        if (missing.length === 0) return true;
        throw new Error(missing.join(", "));
      },
      120,
    );
    await areReady(cluster, namespaces);
    expect(await rest(stage)).toEqual([]);
    for (const { kind, policy, namespace } of named) {
      const created = proxy
        .arrivals(namespace)
        .filter(({ what, stored }) => stored && what.startsWith("POST"));
      const names = created.map(({ what }) => what);
      const where = `${kind}, ${policy}: ${names.join(", ")}`;
      expect.soft(names.length, where).toBe(children.get(namespace)?.length);
      // What isn't a group's StatefulSet costs no pod.
      if (kind !== "StatefulSets") expect.soft(await uids(namespace), where).toEqual(pods.get(namespace));
    }
    points(task, 21, deleted);
    await sweep(
      stage,
      [...namespaces].map((namespace) => ({ namespace })),
    );
  });
});
