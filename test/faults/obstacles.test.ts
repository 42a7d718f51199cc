import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { askApi, callApi } from "../controlplane/api.ts";
import { readAudit } from "../controlplane/audit.ts";
import { deploymentsPath } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { operatorUser } from "../e2e/operator.ts";
import { deploymentName, holdWhileTerminating, pro } from "../lifecycle/stories.ts";
import { type OwnStage, startStage } from "./calm.ts";
import { isFull, points } from "./scope.ts";
import { areReady, rest, sweep } from "./tell.ts";

let stage: OwnStage;

beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage?.stop());

const admission = "/apis/admissionregistration.k8s.io/v1";
const call = (method: "POST" | "PATCH" | "DELETE" | "PUT", path: string, body?: unknown): Promise<unknown> =>
  callApi(stage.cluster.controlPlane, path, {
    method,
    ...(body === undefined ? {} : { body }),
    ...(method === "PATCH" ? { contentType: "application/merge-patch+json" } : {}),
  });

const eventShape = z.object({
  items: z.array(z.object({ type: z.string(), reason: z.string(), message: z.string() })),
});
const warnings = async (namespace: string) =>
  eventShape
    .parse(await callApi(stage.cluster.controlPlane, `/api/v1/namespaces/${namespace}/events`))
    .items.filter(({ type, reason }) => type === "Warning" && reason !== "FailedScheduling");

interface Denial {
  readonly resource: "statefulsets" | "services" | "pods";
  readonly group: string;
  readonly operation: "CREATE" | "UPDATE";
}

/** Denies one kind of write in namespaces that begin with `denied`. */
async function deny({ resource, group, operation }: Denial): Promise<() => Promise<void>> {
  const name = `deny-${operation.toLowerCase()}-${resource}`;
  const rule = { apiGroups: [group], apiVersions: ["*"], operations: [operation], resources: [resource] };
  await call("POST", `${admission}/validatingadmissionpolicies`, {
    metadata: { name },
    spec: {
      matchConstraints: { resourceRules: [rule] },
      matchConditions: [{ name: "namespace", expression: "request.namespace.startsWith('denied')" }],
      validations: [{ expression: "false", message: `no ${resource} today` }],
    },
  });
  await call("POST", `${admission}/validatingadmissionpolicybindings`, {
    metadata: { name },
    spec: { policyName: name, validationActions: ["Deny"] },
  });
  return async () => {
    await call("DELETE", `${admission}/validatingadmissionpolicybindings/${name}`);
    await call("DELETE", `${admission}/validatingadmissionpolicies/${name}`);
  };
}

/** What the operator tried to do to objects of one kind in a namespace, refused or not. */
const tries = (namespace: string, resource: string) =>
  readAudit(
    stage.cluster.controlPlane.auditLog,
    (record) =>
      record.user === operatorUser &&
      record.mutating &&
      record.namespace === namespace &&
      record.resource === resource,
  );

/** The least that the API server takes of each. */
const probes = {
  statefulsets: {
    spec: {
      replicas: 0,
      serviceName: "probe",
      selector: { matchLabels: { app: "probe" } },
      template: {
        metadata: { labels: { app: "probe" } },
        spec: { containers: [{ name: "probe", image: "probe" }] },
      },
    },
  },
  services: { spec: { ports: [{ port: 80 }] } },
  pods: { spec: { schedulerName: "nobody", containers: [{ name: "probe", image: "probe" }] } },
};

/** Waits until a policy is in force, which takes the API server a moment. */
async function isInForce(namespace: string, { resource, group, operation }: Denial): Promise<void> {
  const { controlPlane } = stage.cluster;
  const path = `${group === "" ? "/api/v1" : `/apis/${group}/v1`}/namespaces/${namespace}/${resource}`;
  const body = { metadata: { name: "probe" }, ...probes[resource] };
  if (operation === "UPDATE")
    await eventually("a probe", () => callApi(controlPlane, path, { method: "POST", body }));
  await eventually("the policy is in force", async () => {
    const { body: said } =
      operation === "CREATE"
        ? await askApi(controlPlane, `${path}?dryRun=All`, { method: "POST", body })
        : await askApi(controlPlane, `${path}/probe?dryRun=All`, {
            method: "PATCH",
            body: { metadata: { labels: { probed: "yes" } } },
            contentType: "application/merge-patch+json",
          });
    return said.includes("today") ? true : undefined;
  });
}

describe("an admission policy that denies", () => {
  test.for([
    { resource: "statefulsets", group: "apps", operation: "CREATE" },
    { resource: "services", group: "", operation: "CREATE" },
    // The write that lets a rank in.
    { resource: "pods", group: "", operation: "UPDATE" },
    { resource: "statefulsets", group: "apps", operation: "UPDATE" },
  ] as const)(
    "$operation of $resource is told in its words, is no hot loop, and is over when it is",
    async (which, { task }) => {
      const { cluster } = stage;
      const { resource, operation } = which;
      const allow = await deny(which);
      const namespace = await cluster.namespace(`denied-${operation}-${resource}`.toLowerCase());
      await isInForce(namespace, which);
      await cluster.apply(namespace, deploymentName, pro);
      const stalled = await cluster.condition(namespace, deploymentName, "Stalled", "True");
      expect(stalled.message).toContain(`no ${resource} today`);
      const refused = (await tries(namespace, resource)).filter(({ code }) => code === 422 || code === 403);
      // Each object that it was about, and again half a minute later at the earliest.
      const perObject = Map.groupBy(refused, ({ name }) => name);
      for (const [name, times] of perObject) expect(times.length, name).toBeLessThanOrEqual(3);
      const told = (await warnings(namespace)).filter(({ message }) =>
        message.includes(`no ${resource} today`),
      );
      expect(told.length).toBeGreaterThan(0);
      // Told once for each object that it is about.
      expect(told.length).toBeLessThanOrEqual(2);
      await allow();
      await areReady(cluster, new Set([namespace]));
      expect((await cluster.conditions(namespace, deploymentName)).Stalled?.status).toBe("False");
      points(task, 30);
      points(task, 4);
      await sweep(stage, [{ namespace }]);
    },
  );

  test("because its webhook is down is told by its name, and the deployment goes on when it is up again", async ({
    task,
  }) => {
    const { cluster } = stage;
    const path = `${admission}/validatingwebhookconfigurations`;
    await call("POST", path, {
      metadata: { name: "down" },
      webhooks: [
        {
          name: "down.example.com",
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          failurePolicy: "Fail",
          timeoutSeconds: 1,
          clientConfig: { url: "https://127.0.0.1:1/" },
          rules: [
            { apiGroups: ["apps"], apiVersions: ["*"], operations: ["*"], resources: ["statefulsets"] },
          ],
        },
      ],
    });
    const namespace = await cluster.namespace("webhook-down");
    await eventually("it is down", async () => {
      const set = `/apis/apps/v1/namespaces/${namespace}/statefulsets?dryRun=All`;
      const { body } = await askApi(cluster.controlPlane, set, {
        method: "POST",
        body: { metadata: { name: "probe" }, ...probes.statefulsets },
      });
      return body.includes("down.example.com") ? true : undefined;
    });
    await cluster.apply(namespace, deploymentName, pro);
    const { reason, message } = await cluster.condition(namespace, deploymentName, "Stalled", "True");
    expect({ reason, message }).toEqual({
      reason: "WebhookFailed",
      message: expect.stringContaining("down.example.com"),
    });
    await call("DELETE", `${path}/down`);
    await areReady(cluster, new Set([namespace]));
    points(task, 30);
    await sweep(stage, [{ namespace }]);
  });
});

describe("an error that stays", () => {
  test("is met with longer and longer waits", async ({ task }) => {
    const { cluster, proxy } = stage;
    const namespace = await cluster.namespace("persistent");
    proxy.watch(namespace, {
      write: 1,
      action: { do: "answer", code: 500, reason: "InternalError" },
      times: 12,
    });
    await cluster.apply(namespace, deploymentName, pro);
    await areReady(cluster, new Set([namespace]));
    const [first, ...others] = proxy.arrivals(namespace);
    const times = [first, ...others.filter(({ what }) => what === first?.what)].map((each) => each?.at ?? 0);
    const gaps = times.slice(1, 13).map((time, index) => time - (times[index] ?? 0));
    // 5 ms at first, doubled each time: the twelfth is above 10 s.
    expect(gaps.at(-1)).toBeGreaterThan(5000);
    expect(gaps.at(-1)).toBeGreaterThan(4 * (gaps.at(-4) ?? 0));
    points(task, 4, 12);
    await sweep(stage, [{ namespace }]);
  });
});

describe("a deletion that can't finish", () => {
  test("holds up the next deployment of that name, which then comes up with objects of its own", async ({
    task,
  }) => {
    const { cluster, proxy } = stage;
    const namespace = await cluster.namespace("stuck");
    await cluster.apply(namespace, deploymentName, pro);
    await areReady(cluster, new Set([namespace]));
    const service = `/api/v1/namespaces/${namespace}/services/${deploymentName}`;
    const old = (await cluster.get(service)).metadata.uid;
    await call("PATCH", service, { metadata: { finalizers: ["example.com/hold"] } });
    await holdWhileTerminating(cluster, namespace, "pro-0-1");
    await call("DELETE", deploymentsPath(namespace, deploymentName));
    proxy.watch(namespace);
    await cluster.apply(namespace, deploymentName, pro);
    await eventually("the old Service is going", async () => {
      const { metadata } = await cluster.get(service);
      return metadata.deletionTimestamp === undefined ? undefined : true;
    });
    await call("PATCH", service, { metadata: { finalizers: null } });
    await eventually("the last old rank may go", async () => {
      const there = await cluster.exists(`/api/v1/namespaces/${namespace}/pods/pro-0-1`);
      if (there) await holdWhileTerminating(cluster, namespace, "pro-0-1", null);
      return true;
    });
    await areReady(cluster, new Set([namespace]));
    expect((await cluster.get(service)).metadata.uid).not.toBe(old);
    expect(await rest(stage)).toEqual([]);
    points(task, 34);
    await sweep(stage, [{ namespace }]);
  });
});

describe.runIf(isFull)("the operator's own API", () => {
  test("may be removed and installed again: nobody crashes, and new deployments are served", async ({
    task,
  }) => {
    const { cluster, operators } = stage;
    const crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mimodeployments.mimo.dev";
    const { spec, metadata } = await cluster.get(crd);
    await cluster.namespace("before");
    await cluster.apply("before", deploymentName, pro);
    await areReady(cluster, new Set(["before"]));
    await call("DELETE", crd);
    await eventually(
      "all is gone",
      async () => ((await cluster.pods("before")).length === 0 ? true : undefined),
      120,
    );
    await call("POST", crd.slice(0, crd.lastIndexOf("/")), {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: metadata.name },
      spec,
    });
    await cluster.namespace("after");
    await eventually("it is served", async () => {
      await cluster.apply("after", deploymentName, pro);
      return true;
    });
    // It looks again every five minutes.
    await areReady(cluster, new Set(["after"]), 400);
    expect(operators.current().process.exitCode).toBeNull();
    points(task, 33);
  });
});
