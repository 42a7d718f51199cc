import { cp, mkdir, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { join } from "node:path";
import { parse, parseAllDocuments, stringify } from "yaml";
import { z } from "zod";
import type { ApiResource, KubeObject } from "../../../charts/kubernetes.ts";
import { podTemplate } from "../../../charts/pod.ts";
import { collectionPath } from "../../../operator/runtime/paths.ts";
import { callApi } from "../../controlplane/api.ts";
import type { Administrator, ControlPlane } from "../../controlplane/boot.ts";
import { serviceAccountKubeconfig } from "../../controlplane/kubeconfig.ts";
import { kubectl } from "../../controlplane/kubectl.ts";
import { freePort } from "../../controlplane/ports.ts";
import { eventually } from "../../e2e/eventually.ts";
import type { GroupRef } from "../group-pods.ts";
import type { GroupSystem } from "../group-system.ts";
import { planOf } from "../mimo-operator.ts";
import type { LwsBuild } from "./build.ts";

const resource: ApiResource = {
  group: "leaderworkerset.x-k8s.io",
  version: "v1",
  plural: "leaderworkersets",
  kind: "LeaderWorkerSet",
  namespaced: true,
};
const namespace = "lws-system";
const serviceAccount = "lws-controller-manager";
const component = "lws-manager";
const labels = {
  group: "leaderworkerset.sigs.k8s.io/name",
  rank: "leaderworkerset.sigs.k8s.io/worker-index",
  revision: "leaderworkerset.sigs.k8s.io/template-revision-hash",
} as const;

const webhookConfiguration = z.looseObject({
  webhooks: z.array(
    z.looseObject({
      name: z.string(),
      clientConfig: z.object({ service: z.looseObject({ path: z.string() }) }),
    }),
  ),
});

/** Its kinds and its ServiceAccount with the roles that it comes with. */
export async function installLeaderWorkerSet(administrator: Administrator, build: LwsBuild): Promise<void> {
  const named = z.object({ metadata: z.object({ name: z.string() }) });
  const roles = [build.role, build.metricsRole];
  const account = [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: serviceAccount, namespace } },
    ...roles
      .map((role) => named.parse(parse(role)).metadata)
      .map(({ name }) => ({
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "ClusterRoleBinding",
        metadata: { name: `${serviceAccount}-${name}` },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
        subjects: [{ kind: "ServiceAccount", name: serviceAccount, namespace }],
      })),
  ];
  await apply(administrator, [...build.crds, ...roles, ...account.map((object) => stringify(object))]);
}

/**
 * LeaderWorkerSet's controller with its webhooks on and leader election off, otherwise as it comes. Its pods are those of
 * this operator's plan, save the scheduling gate.
 */
export async function startLeaderWorkerSet(
  controlPlane: ControlPlane,
  build: LwsBuild,
): Promise<GroupSystem> {
  const webhookPort = await freePort();
  const healthPort = await freePort([webhookPort]);
  const metricsPort = await freePort([webhookPort, healthPort]);
  await apply(controlPlane, webhookConfigurations(controlPlane, build, webhookPort));

  const certificates = join(controlPlane.directory, "lws-certificates");
  await mkdir(certificates, { recursive: true });
  // The API server's own certificate is good for 127.0.0.1, and its authority is known.
  for (const [from, to] of [
    ["apiserver.crt", "tls.crt"],
    ["apiserver.key", "tls.key"],
  ] as const)
    await cp(join(controlPlane.directory, "certificates", from), join(certificates, to));
  const configuration = join(controlPlane.directory, "lws-configuration.yaml");
  await writeFile(
    configuration,
    stringify({
      apiVersion: "config.lws.x-k8s.io/v1alpha1",
      kind: "Configuration",
      leaderElection: { leaderElect: false },
      internalCertManagement: { enable: false },
      health: { healthProbeBindAddress: `127.0.0.1:${healthPort}` },
      metrics: { bindAddress: `127.0.0.1:${metricsPort}` },
      webhook: { host: "127.0.0.1", port: webhookPort, certDir: certificates },
    }),
  );
  const kubeconfig = await serviceAccountKubeconfig(controlPlane, namespace, serviceAccount);
  const start = async (): Promise<void> => {
    const flags = [`--config=${configuration}`, "--zap-log-level=info"];
    controlPlane.components.start(component, build.manager, flags, { KUBECONFIG: kubeconfig });
    // A dry run passes the webhooks, so it succeeds once they answer.
    const probe = leaderWorkerSet({ namespace: "default", name: "probe" }, 2);
    await eventually("LeaderWorkerSet's webhooks answer", async () => {
      await callApi(controlPlane, `${collectionPath(resource, "default")}?dryRun=All`, {
        method: "POST",
        body: probe,
      });
      return true;
    });
  };
  await start();

  return {
    name: `LeaderWorkerSet ${build.version}`,
    short: "lws",
    user: `system:serviceaccount:${namespace}:${serviceAccount}`,
    resource,
    statefulSets: 2,
    reconcilers: ["leaderworkerset", "pod"],
    labels,
    formation: undefined,
    objectOf: leaderWorkerSet,
    createGroups: async (groups, size) => {
      for (const group of groups) {
        const body = leaderWorkerSet(group, size);
        await callApi(controlPlane, collectionPath(resource, group.namespace), { method: "POST", body });
      }
    },
    get pid() {
      const pid = controlPlane.pids[component];
      if (pid === undefined) throw new Error("LeaderWorkerSet's manager doesn't run");
      return pid;
    },
    metrics: () => metricsOf(metricsPort, controlPlane.adminToken),
    stop: () => controlPlane.components.stop(component),
    start,
  };
}

/** Over TLS with a certificate that it made for itself. */
function metricsOf(port: number, token: string): Promise<string> {
  const options = { rejectUnauthorized: false, headers: { authorization: `Bearer ${token}` } };
  return new Promise((resolve, reject) => {
    const asked = get(`https://127.0.0.1:${port}/metrics`, options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.once("error", reject);
      response.once("end", () => resolve(text));
    });
    asked.once("error", reject);
  });
}

function leaderWorkerSet(group: GroupRef, size: number): KubeObject & { readonly spec: object } {
  const { schedulingGates: _, ...spec } = podTemplate(planOf(group, size), "").spec;
  return {
    apiVersion: "leaderworkerset.x-k8s.io/v1",
    kind: "LeaderWorkerSet",
    metadata: { ...group },
    spec: {
      replicas: 1,
      startupPolicy: "LeaderCreated",
      leaderWorkerTemplate: {
        size,
        restartPolicy: "RecreateGroupOnPodRestart",
        workerTemplate: { spec },
      },
    },
  };
}

/** Of the webhooks as they come, at this port instead of behind a Service. */
function webhookConfigurations(controlPlane: ControlPlane, build: LwsBuild, port: number): string[] {
  const caBundle = Buffer.from(controlPlane.certificateAuthority).toString("base64");
  return parseAllDocuments(build.webhooks).map((document) => {
    const configuration = webhookConfiguration.parse(document.toJS());
    const webhooks = configuration.webhooks.map(({ clientConfig: { service }, ...webhook }) => ({
      ...webhook,
      clientConfig: { url: `https://127.0.0.1:${port}${service.path}`, caBundle },
      // As in the module's own overlay: pods of others are none of its business.
      ...(webhook.name.includes("pod.") && {
        objectSelector: { matchExpressions: [{ key: labels.group, operator: "Exists" }] },
      }),
    }));
    return stringify({ ...configuration, webhooks });
  });
}

async function apply(administrator: Administrator, documents: readonly string[]): Promise<void> {
  const input = documents.join("\n---\n");
  const applied = await kubectl(administrator, ["apply", "--server-side", "-f", "-"], { input });
  if (applied.code !== 0) throw new Error(`installing LeaderWorkerSet failed: ${applied.stderr}`);
}
