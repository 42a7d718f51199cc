/** Argo CD's two ways to compare, on what Git holds and what the cluster holds while the operator works on it. */
import { globSync, readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { defaultNamespace, installObjects } from "../../charts/install.ts";
import { installValues } from "../../charts/install-values.ts";
import type { KubeObject } from "../../charts/kubernetes.ts";
import { annotations } from "../../charts/names.ts";
import { callApi } from "../controlplane/api.ts";
import { kubectl } from "../controlplane/kubectl.ts";
import { gpuNode } from "../controlplane/nodes.ts";
import { deploymentsPath, startCluster, type TestCluster } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { metricLines, reconcileTimes } from "../e2e/metrics.ts";
import { type RunningOperator, startOperator } from "../e2e/operator.ts";
import { computeKstatus, threeWayDiff } from "../gitops/engines.ts";

let cluster: TestCluster;
let operator: RunningOperator;

const examplesFolder = resolve(import.meta.dirname, "../../examples");
const document = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});
const examples = globSync("*.yaml", { cwd: examplesFolder }).flatMap((file) => {
  const documents = parseAllDocuments(readFileSync(resolve(examplesFolder, file), "utf8"));
  return documents.map((each, index) => ({
    name: `${basename(file, ".yaml").replaceAll(".", "-")}-${index}`,
    object: document.parse(each.toJS()),
  }));
});
const deployments = examples.filter(({ object }) => object.kind === "MiMoDeployment");
/** Enough for all examples at once. */
const nodes = (["H200", "B200", "GB300"] as const).flatMap((kind) =>
  Array.from({ length: 20 }, (_, index) => gpuNode({ kind, name: `${kind.toLowerCase()}-${index}` })),
);
const autoscaled = { variant: "MiMo-V2-Flash", hardware: "H200" };

/** What Argo CD applies: Git's text, with its mark on it. */
function tracked(namespace: string, name: string, object: object): KubeObject {
  const { metadata, ...rest } = document.parse({ metadata: { name }, ...object });
  const tracking = {
    "argocd.argoproj.io/tracking-id": `models:mimo.dev/MiMoDeployment:${namespace}/${name}`,
  };
  const labels = { "app.kubernetes.io/instance": "models", "team.example.com/cost-centre": "7" };
  return { ...rest, metadata: { ...metadata, name, namespace, labels, annotations: tracking } };
}

const applications: Readonly<Record<string, readonly string[]>> = {
  "client-side": [],
  "server-side": ["--server-side", "--field-manager=argocd-controller", "--force-conflicts"],
};

async function sync(objects: readonly KubeObject[], flags: readonly string[]): Promise<void> {
  const input = objects.map((object) => JSON.stringify(object)).join("\n---\n");
  const applied = await kubectl(cluster.controlPlane, ["apply", ...flags, "-f", "-"], { input });
  if (applied.code !== 0) throw new Error(applied.stderr);
}

const spec = z.looseObject({ replicas: z.int().optional() });
const specOf = (object: unknown): z.output<typeof spec> => z.object({ spec }).parse(object).spec;
const stored = z.looseObject({
  metadata: z.looseObject({ managedFields: z.unknown(), resourceVersion: z.string() }),
  spec: spec.optional(),
  status: z.unknown().optional(),
});
/** What is compared: Argo CD leaves status, managers and versions out. */
function compared(object: unknown): object {
  const { metadata, status: _status, ...rest } = stored.parse(object);
  const { managedFields: _managers, resourceVersion: _version, ...kept } = metadata;
  return { ...rest, metadata: kept };
}

/** What a server-side apply would make of the object, and the object. */
async function serverSideDiff(path: string, git: object): Promise<{ predicted: object; live: object }> {
  const query = "?dryRun=All&fieldManager=argocd-controller&force=true";
  const options = { method: "PATCH", body: git, contentType: "application/apply-patch+yaml" } as const;
  const predicted = await callApi(cluster.controlPlane, path + query, options);
  return { predicted: compared(predicted), live: compared(await callApi(cluster.controlPlane, path)) };
}

async function clientSideDiff(path: string, git: object): Promise<unknown> {
  const live = document.parse(await callApi(cluster.controlPlane, path));
  const [answer] = await threeWayDiff([{ git, live }]);
  return answer?.result ?? answer?.error;
}

beforeAll(async () => {
  cluster = await startCluster(nodes);
  // The limits need it, and the operator, which would make it, comes later.
  const body = {
    apiVersion: "mimo.dev/v1alpha1",
    kind: "MiMoPlatform",
    metadata: { name: "default" },
    spec: {},
  };
  await callApi(cluster.controlPlane, "/apis/mimo.dev/v1alpha1/mimoplatforms", { method: "POST", body });
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});

test("a deployment that no operator has looked at is in progress for kstatus, not finished", async () => {
  const namespace = await cluster.namespace("unseen");
  await cluster.apply(namespace, "flash", autoscaled);
  const path = deploymentsPath(namespace, "flash");
  const [answer] = await computeKstatus([document.parse(await callApi(cluster.controlPlane, path))]);
  expect(answer?.result).toMatchObject({ status: "InProgress" });
  const { stdout } = await kubectl(cluster.controlPlane, ["get", "mimo", "-n", namespace]);
  expect(stdout).toMatch(/flash .* Unseen /);
  // It looks at every deployment once a second.
  operator = await startOperator(cluster.controlPlane, { resyncSeconds: 1 });
  await cluster.becomesReady(namespace, "flash");
  const [ready] = (await cluster.status(namespace, "flash")).conditions ?? [];
  expect(ready?.lastTransitionTime).not.toContain("1970");
});

describe.each(Object.entries(applications))("an app that is synced by %s apply", (mode, flags) => {
  const namespace = `sync-${mode}`;
  const git = [
    tracked(namespace, "autoscaled", {
      apiVersion: "mimo.dev/v1alpha1",
      kind: "MiMoDeployment",
      spec: autoscaled,
    }),
    ...deployments.map(({ name, object }) => tracked(namespace, name, { ...object, metadata: { name } })),
  ];

  beforeAll(() => cluster.namespace(namespace));
  // The next ones need the nodes.
  afterAll(async () => {
    await callApi(cluster.controlPlane, deploymentsPath(namespace), { method: "DELETE" });
    await eventually(
      "their pods are gone",
      async () => (await cluster.pods(namespace)).length === 0 || undefined,
    );
  });

  test("is in sync after 10 reconciles, an autoscaler's write and a person's wish", async () => {
    await sync(git, flags);
    await cluster.becomesReady(namespace, "autoscaled");
    const scale = `${deploymentsPath(namespace, "autoscaled")}/scale?fieldManager=kube-controller-manager`;
    const merge = "application/merge-patch+json";
    const body = { spec: { replicas: 2 } };
    await callApi(cluster.controlPlane, scale, { method: "PATCH", body, contentType: merge });
    await callApi(cluster.controlPlane, deploymentsPath(namespace, "autoscaled"), {
      method: "PATCH",
      body: { metadata: { annotations: { [annotations.restart]: "now", [annotations.suspended]: "false" } } },
      contentType: merge,
    });
    await cluster.condition(namespace, "autoscaled", "Ready", "True");
    await reconcileTimes(10, cluster, operator);

    for (const object of git) {
      const path = deploymentsPath(namespace, object.metadata.name);
      expect(await clientSideDiff(path, object), `${object.metadata.name}, three-way`).toEqual({});
      const { predicted, live } = await serverSideDiff(path, object);
      expect(predicted, `${object.metadata.name}, server-side`).toEqual(live);
    }
  });

  test("leaves what the autoscaler wrote when it is synced again", async () => {
    await sync(git, flags);
    expect(specOf(await cluster.get(deploymentsPath(namespace, "autoscaled"))).replicas).toBe(2);
  });

  test("with replicas in Git under an autoscaler differs in that field alone", async () => {
    const fixed = tracked(namespace, "autoscaled", {
      apiVersion: "mimo.dev/v1alpha1",
      kind: "MiMoDeployment",
      spec: { ...autoscaled, replicas: 1 },
    });
    const path = deploymentsPath(namespace, "autoscaled");
    expect(await clientSideDiff(path, fixed)).toEqual({ spec: { replicas: 1 } });
    const { predicted, live } = await serverSideDiff(path, fixed);
    expect(specOf(predicted)).toEqual({ ...specOf(live), replicas: 1 });
  });

  test("leaves no mark of Argo CD's on what the operator makes", async () => {
    for (const kind of ["pods", "services", "statefulsets", "controllerrevisions", "poddisruptionbudgets"]) {
      const { stdout } = await kubectl(cluster.controlPlane, ["get", kind, "-n", namespace, "-o", "json"]);
      expect(stdout).toContain("autoscaled");
      expect(stdout).not.toMatch(/argocd\.argoproj\.io|app\.kubernetes\.io\/instance|cost-centre/);
    }
  });
});

test("the platform and what installs the operator are in sync, too", async () => {
  const platform = examples.find(({ object }) => object.kind === "MiMoPlatform")?.object;
  expect(platform).toBeDefined();
  const objects = [
    ...installObjects(installValues.parse({}), defaultNamespace),
    ...(platform ? [platform] : []),
  ].filter(
    // The operator runs beside this control plane.
    ({ kind }) => kind !== "Deployment",
  );
  await sync(objects, applications["server-side"] ?? []);
  await reconcileTimes(10, cluster, operator);
  for (const object of objects) {
    const path = await pathOf(object);
    expect(await clientSideDiff(path, object), `${object.kind}, three-way`).toEqual({});
    const { predicted, live } = await serverSideDiff(path, object);
    expect(predicted, `${object.kind}, server-side`).toEqual(live);
  }
});

test("the operator's metrics tell of the deployments", async () => {
  const lines = await metricLines(operator, /^mimo_.*namespace="unseen"/);
  expect(lines).toEqual(
    expect.arrayContaining([
      'mimo_deployment_groups{namespace="unseen",deployment="flash",state="Ready"} 1',
      'mimo_deployment_gpus{namespace="unseen",deployment="flash",hardware="H200",state="held"} 8',
      'mimo_deployment_condition{namespace="unseen",deployment="flash",condition="Ready",reason="Ready"} 1',
    ]),
  );
  expect(await metricLines(operator, /^leader_election_master_status/)).toEqual([
    'leader_election_master_status{name="mimo-operator"} 1',
  ]);
});

const resourceList = z.object({ resources: z.array(z.object({ name: z.string(), kind: z.string() })) });

async function pathOf({ apiVersion, kind, metadata }: KubeObject): Promise<string> {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const { resources } = resourceList.parse(await callApi(cluster.controlPlane, root));
  const plural = resources.find((resource) => resource.kind === kind && !resource.name.includes("/"))?.name;
  const scope = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`;
  return `${root}${scope}/${plural}/${metadata.name}`;
}
