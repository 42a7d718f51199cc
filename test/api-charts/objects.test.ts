/** What is rendered, judged by a real API server. */
import type { V1Deployment, V1PodList } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { access } from "../../charts/access.ts";
import { defaultNamespace, installObjects, operatorNamespaceObject } from "../../charts/install.ts";
import { installValues } from "../../charts/install-values.ts";
import { apiVersionOf, type KubeObject } from "../../charts/kubernetes.ts";
import { labels, podName } from "../../charts/names.ts";
import { podTemplate } from "../../charts/pod.ts";
import { controllerRevision, groupStatefulSet, renderDeployment } from "../../charts/render.ts";
import { resourceOf } from "../../charts/resources.ts";
import { freeze } from "../../charts/revision.ts";
import { toYaml } from "../../charts/yaml.ts";
import { firstDifference } from "../../operator/deployment/difference.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import { bootServer, eventually, run, stopServer } from "../api/server.ts";
import { askApi, callApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { servingPlan, twoNodePlan } from "../unit/charts/plans.ts";

let server: ControlPlane;

// The first run on a machine builds the binaries.
const BUILD_AND_BOOT_MILLISECONDS = 30 * 60_000;

beforeAll(async () => {
  server = await bootServer();
  await run(server, ["create", "namespace", "team-a"]);
  await run(server, ["create", "namespace", "baseline"]);
  await run(server, ["label", "namespace", "baseline", "pod-security.kubernetes.io/enforce=baseline"]);
  const values = installValues.parse({});
  const install = toYaml([
    ...operatorNamespaceObject(defaultNamespace),
    ...installObjects(values, defaultNamespace),
  ]);
  await run(server, ["apply", "--server-side", "--validate=strict", "-f", "-"], install);
}, BUILD_AND_BOOT_MILLISECONDS);

afterAll(async () => {
  await stopServer(server);
});

function collectionPath(object: KubeObject): string {
  const resource = resourceOf(object);
  const root = resource.group === "" ? "/api/v1" : `/apis/${apiVersionOf(resource)}`;
  return `${root}/namespaces/${object.metadata.namespace}/${resource.plural}`;
}

/** Creates, and undoes it, with every unknown or doubled field refused. @returns the object as the server would store it. */
async function dryRun(object: KubeObject): Promise<unknown> {
  const path = `${collectionPath(object)}?dryRun=All&fieldValidation=Strict`;
  const { status, body } = await askApi(server, path, { method: "POST", body: object });
  if (status !== 201) throw new Error(`${object.kind} ${object.metadata.name}: ${body}`);
  return JSON.parse(body);
}

const everything = (plan: ServingPlan): KubeObject[] => {
  const { revision, template } = freeze(plan);
  return [
    ...renderDeployment({ plan, replicas: 2 }),
    controllerRevision({ plan, template, revision, number: 1, specHash: "s" }),
  ];
};

const fullPlacement: ServingPlan["placement"] = {
  nodeSelector: { "nvidia.com/gpu.product": "NVIDIA-GB300", "kubernetes.io/arch": "arm64" },
  tolerations: [
    { key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" },
    { key: "spot", operator: "Equal", value: "true", effect: "NoExecute", tolerationSeconds: 60 },
  ],
  priorityClassName: "models",
  schedulerName: "gpu-scheduler",
  runtimeClassName: "nvidia",
};

describe("the API server takes every object as it is rendered and stores all of it", () => {
  const resources = { ...servingPlan().resources, ephemeralStorageGib: 350 };
  const model = (source: ServingPlan["model"]["source"], reference: string) => ({
    source,
    reference,
    mountPath: "/models",
    checkpointGib: 300,
  });
  const plans: Readonly<Record<string, ServingPlan>> = {
    "one node": servingPlan(),
    "two nodes with RDMA": twoNodePlan(),
    "a checkpoint downloaded, caches on the node": servingPlan({
      model: model("Ephemeral", ""),
      cache: { source: "HostPath", reference: "/mnt/cache", mountPath: "/cache" },
      resources,
    }),
    "a checkpoint on the node, caches in a claim": servingPlan({
      model: model("HostPath", "/mnt/models"),
      cache: { source: "PersistentVolumeClaim", reference: "caches", mountPath: "/cache" },
    }),
    "a checkpoint in an image": servingPlan({ model: model("Image", "registry.example.com/m:1") }),
    "all that a plan can say": twoNodePlan({
      placement: fullPlacement,
      image: { reference: "registry.example.com/sglang:1", pullPolicy: "Always", pullSecrets: ["mirror"] },
      secretEnv: [{ name: "HF_TOKEN", secret: "hugging-face", key: "token" }],
      podLabels: { team: "a" },
      podAnnotations: { "example.com/note": "on: the house" },
    }),
    "two nodes with EFA and hugepages": twoNodePlan({
      resources: {
        ...twoNodePlan().resources,
        devices: { "vpc.amazonaws.com/efa": "16", "hugepages-2Mi": "5120Mi" },
      },
    }),
    "two nodes in their own network": twoNodePlan({ hostPort: 19_000 }),
    "the longest name": twoNodePlan({ name: `a${"b".repeat(39)}` }),
  };

  test.each(Object.keys(plans))("%s", async (name) => {
    const plan = plans[name];
    if (plan === undefined) throw new Error(`no plan ${name}`);
    for (const object of everything(plan)) {
      expect(
        firstDifference(await dryRun(object), object),
        `${object.kind} ${object.metadata.name}`,
      ).toBeUndefined();
    }
  });

  test("also when kubectl reads it from YAML", async () => {
    const yaml = toYaml(renderDeployment({ plan: twoNodePlan({ placement: fullPlacement }), replicas: 1 }));
    const created = await run(server, ["create", "--dry-run=server", "--validate=strict", "-f", "-"], yaml);
    expect(created.trim().split("\n")).toHaveLength(5);
  });
});

describe("a group with the longest name and id", () => {
  const plan = twoNodePlan({ name: `a${"b".repeat(39)}` });
  const { revision, template } = freeze(plan);
  const groupId = 2_000_000_000;

  test("gets its pods, gated and labelled with rank and revision", async () => {
    const statefulSet = groupStatefulSet({ plan, revision, groupId, template });
    await callApi(server, collectionPath(statefulSet), { method: "POST", body: statefulSet });
    const path = `/api/v1/namespaces/team-a/pods?labelSelector=${labels.deployment}%3D${plan.name}`;
    const pods = await eventually(
      30,
      async () => (await callApi(server, path)) as V1PodList,
      ({ items }) => items.length === 2,
    );
    const seen = pods.items
      .map(({ metadata, spec }) => [
        metadata?.name,
        metadata?.labels?.[labels.podIndex],
        spec?.schedulingGates?.[0]?.name,
      ])
      .sort();
    expect(seen).toEqual([
      [podName(plan.name, groupId, 0), "0", "mimo.dev/formation"],
      [podName(plan.name, groupId, 1), "1", "mimo.dev/formation"],
    ]);
    for (const { metadata } of pods.items) expect(metadata?.labels?.[labels.revision]).toBe(revision);
  });
});

describe("a namespace that enforces the Pod Security level baseline", () => {
  const podOf = (plan: ServingPlan) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "rank", namespace: "baseline" },
    spec: podTemplate(plan, "r1").spec,
  });
  const { devices: _, ...withoutDevices } = twoNodePlan().resources;

  test("takes ranks that don't use RDMA", async () => {
    await expect(dryRun(podOf(servingPlan()))).resolves.toMatchObject({ kind: "Pod" });
    await expect(dryRun(podOf(twoNodePlan({ resources: withoutDevices })))).resolves.toMatchObject({
      kind: "Pod",
    });
  });

  test("refuses ranks that do, for IPC_LOCK and nothing else", async () => {
    await expect(dryRun(podOf(twoNodePlan()))).rejects.toThrow(
      /baseline:latest\\": non-default capabilities \(container \\"sglang\\" must not include \\"IPC_LOCK\\" in [^)]*\)"/,
    );
  });

  test("refuses ranks in their node's network, for that and its port", async () => {
    const plan = twoNodePlan({ resources: withoutDevices, hostPort: 19_000 });
    await expect(dryRun(podOf(plan))).rejects.toThrow(
      /baseline:latest\\": host namespaces \(hostNetwork=true\), hostPort \(container \\"sglang\\" uses hostPort 19000\)"/,
    );
  });
});

describe("the installed operator", () => {
  const account = "system:serviceaccount:mimo-system:mimo-operator";

  interface Question {
    readonly group?: string;
    readonly resource: string;
    readonly subresource?: string;
    readonly verb: string;
    readonly namespace?: string;
    readonly name?: string;
  }

  async function mayDo(user: string, resourceAttributes: Question): Promise<boolean> {
    const review = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec: { user, resourceAttributes },
    };
    const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    const answer = (await callApi(server, path, { method: "POST", body: review })) as {
      status: { allowed: boolean };
    };
    return answer.status.allowed;
  }

  test("passes the Pod Security level that its namespace enforces", async () => {
    const deployment = JSON.parse(
      await run(server, ["get", "-n", "mimo-system", "deployment/mimo-operator", "-o", "json"]),
    ) as V1Deployment;
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "operator",
        namespace: "mimo-system",
        labels: deployment.spec?.template.metadata?.labels ?? {},
      },
      spec: deployment.spec?.template.spec,
    };
    await expect(dryRun(pod)).resolves.toMatchObject({ kind: "Pod" });
    const asRoot = { ...pod, spec: { ...pod.spec, securityContext: {} } };
    await expect(dryRun(asRoot)).rejects.toThrow(/violates PodSecurity .*restricted/);
  });

  test("may do what the table says", async () => {
    for (const { resource, subresource, verbs, reach, names } of access) {
      for (const verb of verbs) {
        const question = {
          group: resource.group,
          resource: resource.plural,
          verb,
          namespace: reach === "Cluster" ? "team-a" : "mimo-system",
          ...(subresource !== undefined && { subresource }),
          ...(names?.[0] !== undefined && { name: names[0] }),
        };
        expect(await mayDo(account, question), JSON.stringify(question)).toBe(true);
      }
    }
  });

  test.each<Question>([
    { resource: "secrets", verb: "get", namespace: "team-a" },
    { resource: "secrets", verb: "list", namespace: "mimo-system" },
    { resource: "pods", verb: "create", namespace: "team-a" },
    { resource: "nodes", verb: "update" },
    {
      group: "coordination.k8s.io",
      resource: "leases",
      verb: "update",
      namespace: "kube-system",
      name: "mimo-operator",
    },
    {
      group: "coordination.k8s.io",
      resource: "leases",
      verb: "update",
      namespace: "mimo-system",
      name: "another",
    },
    { group: "mimo.dev", resource: "mimodeployments", verb: "update", namespace: "team-a" },
    { group: "rbac.authorization.k8s.io", resource: "clusterroles", verb: "update" },
  ])("may not $verb $resource $namespace", async (question) => {
    expect(await mayDo(account, question)).toBe(false);
  });

  test("leaves users with the role edit their requests, and the status to itself", async () => {
    await run(server, ["create", "rolebinding", "ann", "-n", "team-a", "--clusterrole=edit", "--user=ann"]);
    const request = { group: "mimo.dev", resource: "mimodeployments", namespace: "team-a" };
    await eventually(30, () => mayDo("ann", { ...request, verb: "create" }), Boolean);
    expect(await mayDo("ann", { ...request, verb: "patch", subresource: "scale" })).toBe(true);
    expect(await mayDo("ann", { ...request, verb: "get" })).toBe(true);
    expect(await mayDo("ann", { ...request, verb: "patch", subresource: "status" })).toBe(false);
    expect(await mayDo("ann", { ...request, verb: "create", namespace: "team-b" })).toBe(false);
  });
});
