import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { installObjects, operatorNamespaceObject } from "../../charts/install.ts";
import { installValues } from "../../charts/install-values.ts";
import type { KubeObject } from "../../charts/kubernetes.ts";
import type { PlatformSpec } from "../../crds/platform.ts";
import { callApi } from "../controlplane/api.ts";
import { type AuditRecord, readAudit } from "../controlplane/audit.ts";
import { kubectl } from "../controlplane/kubectl.ts";
import { gpuNode } from "../controlplane/nodes.ts";
import { deploymentsPath, startCluster, type TestCluster } from "../e2e/cluster.ts";
import {
  applyInstallation,
  operatorNamespace,
  type RunningOperator,
  startOperator,
} from "../e2e/operator.ts";
import {
  changingGroups,
  contestedObjects,
  loadingServer,
  longHistory,
  platformWithQueue,
  repeatedRefusal,
} from "./everything.ts";
import { covers, type Grant, grantInWords, grantsOf } from "./grants.ts";
import { installOptionalKinds } from "./optional-kinds.ts";

/** An installation, and where its operator works. */
interface Scope {
  readonly operatorNamespace: string;
  /** Where the story is told. */
  readonly namespace: string;
  readonly queues: readonly ("Volcano" | "SchedulerPlugins" | "Native")[];
  /** undefined: everywhere. */
  readonly namespaces: readonly string[] | undefined;
  readonly objects: readonly KubeObject[];
}

const clusterScope: Scope = {
  operatorNamespace,
  namespace: "everywhere",
  queues: ["Volcano", "SchedulerPlugins", "Native"],
  namespaces: undefined,
  objects: installObjects(installValues.parse({}), operatorNamespace),
};
const ownNamespace = "mimo-a";
const namespaceScope: Scope = {
  operatorNamespace: ownNamespace,
  namespace: "team-a",
  // The other gangs are in the same ClusterRole.
  queues: ["Volcano"],
  namespaces: ["team-a"],
  objects: [
    ...installObjects(installValues.parse({ part: "cluster", nodeReaders: [ownNamespace] }), ownNamespace),
    ...installObjects(installValues.parse({ part: "namespace", namespaces: ["team-a"] }), ownNamespace),
  ],
};

/** The one grant that no request asks for: an admission plugin checks it. The last test shows that it is needed. */
const isCheckedWithin = ({ resource }: Grant): boolean => resource === "mimodeployments/finalizers";

const gangGroups = {
  Volcano: "scheduling.volcano.sh",
  SchedulerPlugins: "scheduling.x-k8s.io",
  Native: "scheduling.k8s.io",
};
/** Gangs of a queue that has no part in the story are watched and never written. */
const isOfOtherQueue = ({ group, verb }: Grant, queues: Scope["queues"]): boolean =>
  !queues.some((queue) => gangGroups[queue] === group) &&
  Object.values(gangGroups).includes(group) &&
  !["list", "watch"].includes(verb);

const gates = "--feature-gates=GenericWorkload=true,GangScheduling=true";
const nodes = [
  ...Array.from({ length: 6 }, (_, index) => gpuNode({ kind: "H20", name: `h20-${index}` })),
  ...Array.from({ length: 6 }, (_, index) => gpuNode({ kind: "GB300", name: `gb300-${index}` })),
  ...Array.from({ length: 3 }, (_, index) => gpuNode({ kind: "H200", name: `h200-${index}` })),
];

let cluster: TestCluster;
let operator: RunningOperator | undefined;

beforeAll(async () => {
  cluster = await startCluster(nodes, {
    prepare: async (administrator) => {
      await installOptionalKinds(administrator);
      await install(clusterScope, administrator);
    },
    apiServerFlags: [
      gates,
      "--runtime-config=scheduling.k8s.io/v1alpha2=true",
      "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
    ],
    controllerManagerFlags: [gates],
    schedulerFlags: [gates],
  });
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});

const install = (scope: Scope, administrator: Parameters<typeof applyInstallation>[0]): Promise<void> =>
  applyInstallation(administrator, [
    ...operatorNamespaceObject(scope.operatorNamespace),
    ...scope.objects.filter(({ kind }) => kind !== "Deployment"),
  ]);

/** As whoever applies it from Git: what it says no more is gone. */
async function setPlatform(spec: PlatformSpec): Promise<void> {
  const path = "/apis/mimo.dev/v1alpha1/mimoplatforms/default";
  await callApi(cluster.controlPlane, `${path}?fieldManager=platform-team&force=true`, {
    method: "PATCH",
    body: { apiVersion: "mimo.dev/v1alpha1", kind: "MiMoPlatform", metadata: { name: "default" }, spec },
    contentType: "application/apply-patch+yaml",
  });
}

/** Starts the scope's operator, has something done, and stops it in good order. */
async function withOperator(scope: Scope, name: string, act: () => Promise<unknown>): Promise<void> {
  const { operatorNamespace: namespace, namespaces } = scope;
  operator = await startOperator(cluster.controlPlane, {
    name: `${scope.namespace}-${name}`,
    namespace,
    ...(namespaces !== undefined && { namespaces }),
  });
  await act();
  expect(await operator.stop()).toBe(0);
}

const twoNodes = { variant: "MiMo-V2.5-Pro", hardware: "H20" };
const twoNodesByNvlink = { variant: "MiMo-V2.5-Pro", hardware: "GB300" };

/** The whole story. A new operator reads the platform before it looks at a deployment. */
async function tell(scope: Scope): Promise<AuditRecord[]> {
  const stage = { cluster, namespace: scope.namespace };
  await withOperator(scope, "first", async () => {});
  for (const [index, queue] of scope.queues.entries()) {
    const platform = platformWithQueue(queue);
    await setPlatform(platform);
    await withOperator(scope, queue, () =>
      index === 0
        ? Promise.all([
            changingGroups(stage),
            longHistory(stage),
            loadingServer(stage),
            repeatedRefusal(stage),
            contestedObjects(stage, twoNodesByNvlink, platform),
          ])
        : contestedObjects(stage, twoNodes, platform),
    );
  }
  const user = `system:serviceaccount:${scope.operatorNamespace}:mimo-operator`;
  return readAudit(cluster.controlPlane.auditLog, (record) => record.user === user && record.resource !== "");
}

const inWords = ({ verb, group, resource, subresource, namespace, name }: AuditRecord): string =>
  `${verb} ${[resource, subresource].join("/")}.${group} ${namespace}/${name}`;

describe.each([
  ["for the whole cluster", clusterScope, []],
  // Everybody may read the one MiMoPlatform.
  ["for one namespace", namespaceScope, ["list mimoplatforms", "watch mimoplatforms"]],
] as const)("an operator installed %s", (_, scope, publicReads) => {
  const isExcepted = (grant: Grant): boolean => isCheckedWithin(grant) || isOfOtherQueue(grant, scope.queues);
  const account = { namespace: scope.operatorNamespace, name: "mimo-operator" };
  const grants: readonly Grant[] = grantsOf(scope.objects, account);
  let records: readonly AuditRecord[];

  beforeAll(async () => {
    // Of the scope before.
    const bindings = ["clusterrolebinding", "mimo-operator", "mimo-operator-logs", "mimo-operator-platform"];
    await kubectl(cluster.controlPlane, ["delete", ...bindings]);
    await cluster.namespace(scope.namespace);
    await install(scope, cluster.controlPlane);
    records = await tell(scope);
    await withOperator(scope, "last", () => cluster.clear());
  });

  test("does the whole story without being refused anything by RBAC", () => {
    expect(records.length).toBeGreaterThan(300);
    expect(records.filter(({ unauthorized }) => unauthorized).map(inWords)).toEqual([]);
  });

  test("does nothing that isn't granted to its own account", () => {
    const others = records.filter((record) => !grants.some((grant) => covers(grant, record)));
    expect([...new Set(others.map(({ verb, resource }) => `${verb} ${resource}`))]).toEqual(publicReads);
  });

  test("is granted nothing that it doesn't use", () => {
    const unused = grants.filter((grant) => !records.some((record) => covers(grant, record)));
    expect(unused.map(grantInWords)).toEqual(grants.filter(isExcepted).map(grantInWords));
  });

  test("neither reads nor is granted anything of Secrets", () => {
    expect(grants.filter(({ resource }) => resource.startsWith("secrets"))).toEqual([]);
    expect(records.filter(({ resource }) => resource === "secrets")).toEqual([]);
  });
});

describe("the right to update finalizers of MiMoDeployments", () => {
  const role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/mimo-operator";
  const roleShape = z.object({ rules: z.array(z.looseObject({ resources: z.array(z.string()) })) });

  test("is what lets children block the deletion of their owner, where a cluster asks for it", async () => {
    const namespace = await cluster.namespace("finalizers");
    const { rules } = roleShape.parse(await callApi(cluster.controlPlane, role));
    const setRules = (kept: typeof rules) =>
      callApi(cluster.controlPlane, role, {
        method: "PATCH",
        body: { rules: kept },
        contentType: "application/merge-patch+json",
      });
    await install(clusterScope, cluster.controlPlane);
    await setRules(rules.filter(({ resources }) => !resources.includes("mimodeployments/finalizers")));
    await withOperator(clusterScope, "without", async () => {
      await cluster.apply(namespace, "flash", { variant: "MiMo-V2-Flash", hardware: "H200" });
      const { message } = await cluster.condition(namespace, "flash", "Stalled", "True", "Forbidden");
      expect(message).toContain("can't set finalizers on");
      await setRules(rules);
      const poke = { metadata: { annotations: { "example.com/again": "1" } } };
      await callApi(cluster.controlPlane, deploymentsPath(namespace, "flash"), {
        method: "PATCH",
        body: poke,
        contentType: "application/merge-patch+json",
      });
      await cluster.becomesReady(namespace, "flash");
    });
  });
});
