import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { access } from "../../charts/access.ts";
import { resources } from "../../charts/resources.ts";
import { callApi } from "../controlplane/api.ts";
import { readAudit } from "../controlplane/audit.ts";
import { deploymentsPath, startCluster, type TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { operatorUser, type RunningOperator, startOperator } from "./operator.ts";

let cluster: TestCluster;
let operator: RunningOperator;

beforeAll(async () => {
  cluster = await startCluster();
  operator = await startOperator(cluster.controlPlane);
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});
afterEach(() => cluster.clear());

const flash = { variant: "MiMo-V2-Flash", hardware: "H200" };
const send = (
  method: "POST" | "PATCH" | "DELETE" | "PUT",
  path: string,
  body?: unknown,
  contentType = "application/merge-patch+json",
) => callApi(cluster.controlPlane, path, { method, body, ...(method === "PATCH" ? { contentType } : {}) });

describe("what can't work is said, and nothing is lost", () => {
  test("a Service of the same name, owned by someone else, is left alone and named; the deployment goes on when it is gone", async () => {
    const namespace = await cluster.namespace("taken");
    const path = `/api/v1/namespaces/${namespace}/services`;
    const theirs = {
      metadata: { name: "flash", labels: { team: "other" } },
      spec: { ports: [{ port: 1234 }], selector: { app: "other" } },
    };
    await send("POST", path, theirs);
    const before = await cluster.get(`${path}/flash`);
    await cluster.apply(namespace, "flash", flash);
    const stalled = await cluster.condition(namespace, "flash", "Stalled", "True");
    expect(stalled.reason).toBe("NameTaken");
    expect(stalled.message).toContain("Service flash already exists");
    expect(await cluster.get(`${path}/flash`)).toEqual(before);

    await send("DELETE", `${path}/flash`);
    await eventually(
      "Ready",
      async () =>
        (await cluster.conditions(namespace, "flash")).Ready?.status === "True" ? true : undefined,
      50,
    );
  }, 90_000);

  test("a request that the catalogue refuses keeps the earlier groups serving and says what would work", async () => {
    const namespace = await cluster.namespace("refused");
    await cluster.apply(namespace, "v25", { variant: "MiMo-V2.5", hardware: "H200" });
    await cluster.becomesReady(namespace, "v25");
    const before = await cluster.pods(namespace);
    await cluster.apply(namespace, "v25", {
      variant: "MiMo-V2.5",
      hardware: "H200",
      features: { dataParallelAttention: "Disabled" },
    });
    const accepted = await cluster.condition(namespace, "v25", "Accepted", "False");
    expect(accepted.message).toContain("spec.features.dataParallelAttention");
    expect((await cluster.conditions(namespace, "v25")).Stalled?.status).toBe("True");
    expect((await cluster.pods(namespace)).map(({ metadata }) => metadata.uid)).toEqual(
      before.map(({ metadata }) => metadata.uid),
    );

    await cluster.apply(namespace, "v25", { variant: "MiMo-V2.5", hardware: "H200" });
    await cluster.becomesReady(namespace, "v25");
  });

  test("a claim that isn't there is said in the scheduler's words", async () => {
    const namespace = await cluster.namespace("no-claim");
    await cluster.apply(namespace, "flash", {
      ...flash,
      model: { persistentVolumeClaim: { claimName: "weights" } },
    });
    const placement = await cluster.condition(namespace, "flash", "PlacementReady", "False");
    expect(placement.message).toContain('persistentvolumeclaim "weights" not found');
  });

  test("pods that the namespace's Pod Security refuses are missed, and where to look is said; they come when it takes them", async () => {
    const namespace = await cluster.namespace("restricted");
    const setLevel = (level: string) =>
      send("PATCH", `/api/v1/namespaces/${namespace}`, {
        metadata: { labels: { "pod-security.kubernetes.io/enforce": level } },
      });
    await setLevel("restricted");
    await cluster.apply(namespace, "flash", flash);
    const missing =
      "1 of 1 pods of flash-0 are not there; if that lasts, kubectl describe statefulset flash-0 says why";
    await eventually("it is said", async () =>
      (await cluster.conditions(namespace, "flash")).Ready?.message.endsWith(missing) ? true : undefined,
    );
    expect((await cluster.status(namespace, "flash")).groups?.[0]?.message).toBe(missing);
    await setLevel("baseline");
    await cluster.becomesReady(namespace, "flash");
  });

  test("a Secret that isn't there is said in the kubelet's words", async () => {
    const namespace = await cluster.namespace("no-secret");
    await cluster.apply(namespace, "flash", {
      ...flash,
      server: { apiKeySecret: { name: "gateway", key: "key" } },
    });
    await cluster.becomesReady(namespace, "flash");
    // What a kubelet reports; a simulated node has none.
    const waiting = { reason: "CreateContainerConfigError", message: 'secret "gateway" not found' };
    await send(
      "PATCH",
      `/api/v1/namespaces/${namespace}/pods/flash-0-0/status`,
      {
        status: {
          conditions: [{ type: "Ready", status: "False" }],
          containerStatuses: [
            { name: "sglang", image: "x", imageID: "", ready: false, restartCount: 0, state: { waiting } },
          ],
        },
      },
      "application/strategic-merge-patch+json",
    );
    expect((await cluster.condition(namespace, "flash", "Ready", "False")).message).toContain(
      'secret "gateway" not found',
    );
  });

  test("quota that is used up is said with its numbers, and healed when raised", async () => {
    const namespace = await cluster.namespace("quota");
    const path = `/api/v1/namespaces/${namespace}/resourcequotas`;
    await send("POST", path, {
      metadata: { name: "sets" },
      spec: { hard: { "count/statefulsets.apps": "0" } },
    });
    await cluster.apply(namespace, "flash", flash);
    const stalled = await cluster.condition(namespace, "flash", "Stalled", "True");
    expect(stalled).toMatchObject({
      reason: "QuotaExceeded",
      message: expect.stringContaining("limited: count/statefulsets.apps=0"),
    });
    await send("DELETE", `${path}/sets`);
    await eventually(
      "Ready",
      async () =>
        (await cluster.conditions(namespace, "flash")).Ready?.status === "True" ? true : undefined,
      50,
    );
  }, 90_000);
});

describe("what was agreed stays", () => {
  test("drift in any child is put back, and what others added is kept", async () => {
    const namespace = await cluster.namespace("drift");
    await cluster.apply(namespace, "flash", flash);
    await cluster.becomesReady(namespace, "flash");
    const paths = {
      service: `/api/v1/namespaces/${namespace}/services/flash`,
      set: `/apis/apps/v1/namespaces/${namespace}/statefulsets/flash-0`,
      budget: `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/flash`,
    };
    const uid = (await cluster.get(paths.set)).metadata.uid;
    await send("PATCH", paths.service, {
      metadata: { labels: { "mimo.dev/deployment": null, theirs: "kept" } },
    });
    await send("PATCH", paths.set, { spec: { replicas: 3 } });
    await send("DELETE", paths.budget);
    await eventually("all is as it was", async () => {
      const [service, set] = [await cluster.get(paths.service), await cluster.get(paths.set)];
      const good =
        JSON.stringify(service.metadata.labels).includes('"mimo.dev/deployment":"flash"') &&
        JSON.stringify(service.metadata.labels).includes('"theirs":"kept"') &&
        JSON.stringify(set.spec).includes('"replicas":1') &&
        (await cluster.exists(paths.budget));
      return good ? true : undefined;
    });
    expect((await cluster.get(paths.set)).metadata.uid).toBe(uid);
    await cluster.becomesReady(namespace, "flash");
  });

  test("a change of the platform touches no running group; a new request takes it up, one group at a time", async () => {
    const namespace = await cluster.namespace("frozen");
    await cluster.apply(namespace, "flash", { ...flash, replicas: 2 });
    await cluster.becomesReady(namespace, "flash");
    const set = `/apis/apps/v1/namespaces/${namespace}/statefulsets/flash-0`;
    const before = await cluster.get(set);
    const useImages = (images: object | null) =>
      send("PATCH", "/apis/mimo.dev/v1alpha1/mimoplatforms/default", { spec: { images } });
    await useImages({ registry: "registry.example.com/mirror" });
    await cluster.condition(namespace, "flash", "UpdateAvailable", "True");
    await cluster.apply(namespace, "later", { ...flash, hardware: "H20" });
    await cluster.becomesReady(namespace, "later");
    expect((await cluster.status(namespace, "later")).plan?.image).toMatch(
      /^registry\.example\.com\/mirror\//,
    );
    expect(await cluster.get(set)).toEqual(before);

    await cluster.apply(namespace, "flash", { ...flash, replicas: 3 });
    await cluster.becomesReady(namespace, "flash");
    expect((await cluster.status(namespace, "flash")).plan?.image).not.toMatch(/^registry\.example\.com/);

    await cluster.apply(namespace, "flash", {
      ...flash,
      replicas: 3,
      profile: "Latency",
      contextLength: 32_768,
    });
    await cluster.becomesReady(namespace, "flash");
    const status = await cluster.status(namespace, "flash");
    expect(status.plan?.image).toMatch(/^registry\.example\.com\/mirror\//);
    expect(new Set(status.groups?.map(({ revision }) => revision))).toEqual(new Set([status.plan?.revision]));
    await useImages(null);
  });
});

describe("the operator", () => {
  test("makes nothing again when it is killed and comes back, and finishes what it had begun", async () => {
    const namespace = await cluster.namespace("killed");
    await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "GB300" });
    await eventually("the group is under way", async () =>
      (await cluster.pods(namespace)).length > 0 ? true : undefined,
    );
    await operator.stop("SIGKILL");
    operator = await startOperator(cluster.controlPlane, { name: "second" });
    await cluster.becomesReady(namespace, "pro");
    const creates = (await cluster.operatorWrites(namespace)).filter(
      ({ verb, code }) => verb === "create" && code < 300,
    );
    const names = creates.map(({ resource, name }) => `${resource}/${name}`);
    expect(names).toEqual([...new Set(names)]);
    expect((await cluster.status(namespace, "pro")).groups).toHaveLength(1);
  }, 90_000);

  test("survives a deployment that it can't read: others go on, and it is said", async () => {
    const namespace = await cluster.namespace("poison");
    const crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mimodeployments.mimo.dev";
    const original = await cluster.get(crd);
    // A server of a later version may know more than this operator: an unknown hardware kind gets in.
    const loosened = JSON.parse(JSON.stringify(original).replaceAll('"H200"', '"H200","X900"'));
    await send("PUT", crd, loosened);
    await eventually("the API server takes it", async () => {
      await cluster.apply(namespace, "strange", { variant: "MiMo-V2-Flash", hardware: "X900" });
      return true;
    });
    const stalled = await cluster.condition(namespace, "strange", "Stalled", "True");
    expect(stalled.message).toContain("spec.hardware");
    await cluster.apply(namespace, "plain", { ...flash, hardware: "H20" });
    await cluster.becomesReady(namespace, "plain");
    await send("DELETE", deploymentsPath(namespace, "strange"));
  });

  test("uses exactly the permissions that it has", async () => {
    const records = await readAudit(cluster.controlPlane.auditLog, ({ user }) => user === operatorUser);
    expect(records.filter(({ code }) => code === 403)).toEqual(
      records.filter(({ code, namespace }) => code === 403 && namespace === "quota"),
    );
    const used = new Set(
      records.map(({ verb, group, resource, subresource }) => `${verb} ${group}/${resource}/${subresource}`),
    );
    const granted = new Set(
      access.flatMap(({ resource, subresource, verbs }) =>
        verbs.map((verb) => `${verb} ${resource.group}/${resource.plural}/${subresource ?? ""}`),
      ),
    );
    // Only with the admission plugin OwnerReferencesPermissionEnforcement, which checks it without a request.
    granted.delete(`update ${resources.mimoDeployments.group}/mimodeployments/finalizers`);
    expect([...used].filter((each) => !granted.has(each))).toEqual([]);
    const secrets = [...granted].filter((each) => each.includes("secrets"));
    expect(secrets).toEqual([]);
  });
});
