import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, parseAllDocuments, stringify } from "yaml";
import { z } from "zod";
import type { Administrator, ControlPlane } from "../controlplane/boot.ts";
import { serviceAccountKubeconfig } from "../controlplane/kubeconfig.ts";
import { kubectl } from "../controlplane/kubectl.ts";
import { freePort } from "../controlplane/ports.ts";
import { eventually } from "../e2e/eventually.ts";
import { type KueueBuild, metricsCertificates } from "./kueue-build.ts";

const namespace = "kueue-system";
const serviceAccount = "kueue-controller-manager";

const webhookConfiguration = z.looseObject({
  webhooks: z.array(
    z.looseObject({
      name: z.string(),
      clientConfig: z.object({ service: z.looseObject({ path: z.string() }) }),
      rules: z.array(z.looseObject({ apiGroups: z.array(z.string()) })),
    }),
  ),
});

/** Its kinds, and its ServiceAccount with the role that it comes with. */
export async function installKueue(administrator: Administrator, build: KueueBuild): Promise<void> {
  const role = z.object({ metadata: z.object({ name: z.string() }) }).parse(parse(build.role));
  const account = [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: serviceAccount, namespace } },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: serviceAccount },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role.metadata.name },
      subjects: [{ kind: "ServiceAccount", name: serviceAccount, namespace }],
    },
  ];
  await applyDocuments(administrator, [
    ...build.crds,
    build.role,
    ...account.map((object) => stringify(object)),
  ]);
}

/** Kueue's manager with its webhooks and its pod integration on, leader election off, otherwise as it comes. */
export async function startKueue(controlPlane: ControlPlane, build: KueueBuild): Promise<void> {
  const webhookPort = await freePort();
  const healthPort = await freePort([webhookPort]);
  const certificates = join(controlPlane.directory, "kueue-certificates");
  await mkdir(certificates, { recursive: true });
  // The API server's own certificate is good for 127.0.0.1, and its authority is known.
  for (const [from, to] of [
    ["apiserver.crt", "tls.crt"],
    ["apiserver.key", "tls.key"],
  ] as const)
    await cp(join(controlPlane.directory, "certificates", from), join(certificates, to));
  const configuration = join(controlPlane.directory, "kueue-configuration.yaml");
  await writeFile(
    configuration,
    stringify({
      apiVersion: "config.kueue.x-k8s.io/v1beta1",
      kind: "Configuration",
      namespace,
      leaderElection: { leaderElect: false },
      internalCertManagement: { enable: false },
      health: { healthProbeBindAddress: `127.0.0.1:${healthPort}` },
      metrics: { bindAddress: "0" },
      webhook: { host: "127.0.0.1", port: webhookPort, certDir: certificates },
      // It would listen at a port of its own.
      featureGates: { VisibilityOnDemand: false },
      integrations: { frameworks: ["pod"] },
    }),
  );
  const kubeconfig = await serviceAccountKubeconfig(controlPlane, namespace, serviceAccount);
  controlPlane.components.start("kueue", build.manager, [`--config=${configuration}`, "--zap-log-level=3"], {
    KUBECONFIG: kubeconfig,
    [metricsCertificates]: certificates,
  });
  await applyDocuments(controlPlane, webhookConfigurations(controlPlane, build, webhookPort));
  // A dry run passes the webhooks, so it succeeds once they answer.
  await eventually("Kueue's webhooks answer", async () => {
    const flavor = {
      apiVersion: "kueue.x-k8s.io/v1beta1",
      kind: "ResourceFlavor",
      metadata: { name: "probe" },
    };
    await applyDocuments(controlPlane, [stringify(flavor)], "--dry-run=server");
    return true;
  });
}

/** Of the webhooks as they come those for Kueue's own kinds and for pods, at this port instead of behind a Service. */
function webhookConfigurations(controlPlane: ControlPlane, build: KueueBuild, port: number): string[] {
  const caBundle = Buffer.from(controlPlane.certificateAuthority).toString("base64");
  return parseAllDocuments(build.webhooks).map((document) => {
    const configuration = webhookConfiguration.parse(document.toJS());
    const webhooks = configuration.webhooks
      .filter(({ rules }) =>
        rules.every(({ apiGroups }) => apiGroups.every((group) => ["", "kueue.x-k8s.io"].includes(group))),
      )
      .map(({ clientConfig: { service }, ...webhook }) => ({
        ...webhook,
        clientConfig: { url: `https://127.0.0.1:${port}${service.path}`, caBundle },
      }));
    return stringify({ ...configuration, webhooks });
  });
}

/** By server-side apply. @throws Error with kubectl's words */
export async function applyDocuments(
  administrator: Administrator,
  documents: readonly string[],
  ...flags: readonly string[]
): Promise<void> {
  const input = documents.join("\n---\n");
  const applied = await kubectl(
    administrator,
    ["apply", "--server-side", "--force-conflicts", ...flags, "-f", "-"],
    {
      input,
    },
  );
  if (applied.code !== 0) throw new Error(applied.stderr);
}
