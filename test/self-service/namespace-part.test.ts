import { afterAll, beforeAll, expect, test } from "vitest";
import { installObjects } from "../../charts/install.ts";
import { installValues } from "../../charts/install-values.ts";
import { toYaml } from "../../charts/yaml.ts";
import { callApi } from "../controlplane/api.ts";
import { readAudit } from "../controlplane/audit.ts";
import { kubectl } from "../controlplane/kubectl.ts";
import { startCluster, type TestCluster } from "../e2e/cluster.ts";
import { applyInstallation, type RunningOperator, startOperator } from "../e2e/operator.ts";
import { createTenant, type Tenant } from "./tenant.ts";

const operatorNamespace = "mimo-a";
const clusterPart = installValues.parse({ part: "cluster", nodeReaders: [operatorNamespace] });
const namespacePart = installValues.parse({ part: "namespace", namespaces: ["team-a"] });

let cluster: TestCluster;
let administrator: Tenant;
let operator: RunningOperator | undefined;

const emptyPlatform = {
  apiVersion: "mimo.dev/v1alpha1",
  kind: "MiMoPlatform",
  metadata: { name: "default" },
  spec: {},
};

beforeAll(async () => {
  cluster = await startCluster(undefined, {
    prepare: (controlPlane) =>
      applyInstallation(controlPlane, installObjects(clusterPart, operatorNamespace)),
  });
  await callApi(cluster.controlPlane, "/apis/mimo.dev/v1alpha1/mimoplatforms", {
    method: "POST",
    body: emptyPlatform,
  });
  administrator = await createTenant(cluster.controlPlane, operatorNamespace, {}, "admin");
  await createTenant(cluster.controlPlane, "team-a", {}, "admin", administrator.user);
  await createTenant(cluster.controlPlane, "team-b");
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});

/** Applies as the administrator, objects of several namespaces at once. */
const apply = (objects: string) =>
  kubectl(
    cluster.controlPlane,
    [`--as=${administrator.user}`, "--as-group=system:authenticated", "apply", "--server-side", "-f", "-"],
    { input: objects },
  );

test("whoever administers two namespaces, and nothing else, installs an operator for one in the other", async () => {
  const objects = toYaml(installObjects(namespacePart, operatorNamespace));
  expect(await apply(objects)).toMatchObject({ code: 0, stderr: "" });
  const elsewhere = toYaml(
    installObjects(installValues.parse({ part: "namespace", namespaces: ["team-b"] }), operatorNamespace),
  );
  const { code, stderr } = await apply(elsewhere);
  expect(code).not.toBe(0);
  expect(stderr).toContain('in the namespace "team-b"');
});

test("the operator serves its namespace, leaves others alone, and asks for nothing that it may not have", async () => {
  operator = await startOperator(cluster.controlPlane, {
    namespace: operatorNamespace,
    namespaces: ["team-a"],
  });
  const pro = { variant: "MiMo-V2.5-Pro", hardware: "H200" };
  await cluster.apply("team-b", "pro", pro);
  await cluster.apply("team-a", "pro", pro);
  await cluster.becomesReady("team-a", "pro");
  expect((await cluster.status("team-b", "pro")).observedGeneration).toBeUndefined();
  const user = `system:serviceaccount:${operatorNamespace}:mimo-operator`;
  const refused = await readAudit(
    cluster.controlPlane.auditLog,
    (record) => record.user === user && record.code === 403,
  );
  expect(refused).toEqual([]);
});
