/**
 * `node test/install/record.ts <version>`: what this version leaves in a cluster, for the upgrade test of the next one. Run
 * it at a release. It installs, serves, and writes what was installed and what is then stored to releases/<version>/.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { z } from "zod";
import { annotations } from "../../charts/names.ts";
import { callApi } from "../controlplane/api.ts";
import { gpuNode } from "../controlplane/nodes.ts";
import { deploymentsPath, startCluster, type TestCluster } from "../e2e/cluster.ts";
import { startOperator } from "../e2e/operator.ts";
import { mimo } from "../unit/cli/run.ts";

const namespace = "team-a";
/** For the operator's own pods. */
const plain = gpuNode({ kind: "H200", name: "plain-0" });
const nodes = [
  { ...plain, metadata: { ...plain.metadata, labels: {} }, spec: { taints: [] } },
  ...["h200-0", "h200-1", "h200-2", "h200-3"].map((name) => gpuNode({ kind: "H200", name })),
  ...["h100-0", "h100-1"].map((name) => gpuNode({ kind: "H100", name })),
  ...["gb300-0", "gb300-1"].map((name) => gpuNode({ kind: "GB300", name })),
];

/** What is stored, and where below /registry etcd holds it. What controllers make again by themselves isn't in it. */
const stored: Readonly<Record<string, string>> = {
  "/api/v1/nodes": "minions",
  "/apis/mimo.dev/v1alpha1/mimoplatforms": "mimo.dev/mimoplatforms",
  [`/apis/mimo.dev/v1alpha1/namespaces/${namespace}/mimodeployments`]: "mimo.dev/mimodeployments",
  [`/apis/apps/v1/namespaces/${namespace}/controllerrevisions`]: "controllerrevisions",
  [`/apis/apps/v1/namespaces/${namespace}/statefulsets`]: "statefulsets",
  [`/api/v1/namespaces/${namespace}/pods`]: "pods",
  [`/api/v1/namespaces/${namespace}/services`]: "services/specs",
  [`/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`]: "poddisruptionbudgets",
  [`/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`]: "networkpolicies",
  [`/apis/resource.nvidia.com/v1beta1/namespaces/${namespace}/computedomains`]:
    "resource.nvidia.com/computedomains",
  [`/apis/resource.k8s.io/v1/namespaces/${namespace}/resourceclaimtemplates`]: "resourceclaimtemplates",
  [`/apis/resource.k8s.io/v1/namespaces/${namespace}/resourceclaims`]: "resourceclaims",
};

const list = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  items: z.array(z.looseObject({ metadata: z.looseObject({ name: z.string() }) })),
});

/** One deployment of every sort that an upgrade could hurt. */
async function serve(cluster: TestCluster): Promise<void> {
  await cluster.namespace(namespace);
  const flash = { variant: "MiMo-V2-Flash", hardware: "H200", replicas: 2 };
  await cluster.apply(namespace, "flash", { ...flash, contextLength: 131_072 });
  await cluster.becomesReady(namespace, "flash");
  // A second revision: the first stays to go back to.
  await cluster.apply(namespace, "flash", flash);
  await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "GB300" });
  await cluster.apply(namespace, "wide", { variant: "MiMo-V2.5-Pro", hardware: "H100" });
  await cluster.apply(namespace, "asleep", { ...flash, suspend: true });
  await cluster.apply(namespace, "waits", { variant: "MiMo-V2.5", hardware: "B200" });
  const server = { extraArgs: ["--tp=2"] };
  await cluster.apply(namespace, "refused", { ...flash, server });
  await callApi(cluster.controlPlane, deploymentsPath(namespace, "wide"), {
    method: "PATCH",
    body: { metadata: { annotations: { [annotations.restart]: "once" } } },
    contentType: "application/merge-patch+json",
  });
  for (const name of ["flash", "pro", "wide"]) await cluster.becomesReady(namespace, name);
  await cluster.condition(namespace, "asleep", "Ready", "False", "Suspended");
  await cluster.condition(namespace, "waits", "PlacementReady", "False");
  await cluster.condition(namespace, "refused", "Accepted", "False");
}

async function read(cluster: TestCluster): Promise<object[]> {
  const objects: object[] = [];
  for (const [path, folder] of Object.entries(stored)) {
    const { apiVersion, kind, items } = list.parse(await callApi(cluster.controlPlane, path));
    for (const { metadata, ...rest } of items) {
      // Versions are etcd's to give; who wrote which field nobody here asks.
      const { resourceVersion: _version, managedFields: _managers, ...kept } = metadata;
      const scope = metadata.namespace === undefined ? "" : `${metadata.namespace}/`;
      const key = `/registry/${folder}/${scope}${metadata.name}`;
      objects.push({ key, object: { apiVersion, kind: kind.replace(/List$/, ""), metadata: kept, ...rest } });
    }
  }
  return objects;
}

const [version] = process.argv.slice(2);
if (version === undefined) throw new Error("usage: node test/install/record.ts <version>");
const cluster = await startCluster(nodes);
try {
  const operator = await startOperator(cluster.controlPlane);
  await serve(cluster);
  await operator.stop();
  const folder = join(import.meta.dirname, "releases", version);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "install.yaml"), (await mimo(["install"])).stdout);
  await writeFile(
    join(folder, "objects.yaml"),
    stringify(await read(cluster), { lineWidth: 0, aliasDuplicateObjects: false }),
  );
} finally {
  await cluster.stop();
}
