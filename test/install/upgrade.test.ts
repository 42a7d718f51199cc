/** The upgrade as docs/install.md describes it, on what the version before left in a cluster. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { deploymentStatus } from "../../crds/status.ts";
import { askApi, callApi } from "../controlplane/api.ts";
import type { Administrator } from "../controlplane/boot.ts";
import { kubectl } from "../controlplane/kubectl.ts";
import { deploymentsPath, startCluster, type TestCluster } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { reconcileTimes } from "../e2e/metrics.ts";
import { applyInstallation, type RunningOperator, startOperator } from "../e2e/operator.ts";
import { runCommand, settled } from "../e2e/page-commands.ts";
import { consoleExamples, sectionOf } from "../unit/docs/markdown.ts";
import { type FormerRelease, readFormerRelease, restore } from "./former-release.ts";
import { ensureInstallPrograms } from "./programs.ts";

const root = resolve(import.meta.dirname, "../..");
const namespace = "team-a";
const before = "0.1.0";

let former: FormerRelease;
let helm: string;
let folder: string;
beforeAll(async () => {
  former = await readFormerRelease(before);
  ({ helm } = await ensureInstallPrograms((line) => console.error(line)));
  folder = await mkdtemp(join(tmpdir(), "mimo-upgrade-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a command prints. @throws Error when it fails. */
async function shell(cluster: Administrator, command: string): Promise<string> {
  const { failed, stdout, stderr } = await runCommand(command, cluster, helm);
  if (failed) throw new Error(`${command}: ${stderr}`);
  return stdout;
}

async function installByKubectl(cluster: Administrator): Promise<void> {
  const applied = await kubectl(cluster, ["apply", "--server-side", "-f", "-"], {
    input: former.installation,
  });
  if (applied.code !== 0) throw new Error(applied.stderr);
}

/** A chart of the same objects as the former version's, which a test of that version has shown its chart to have. */
async function installByHelm(cluster: Administrator): Promise<void> {
  // The namespace is Helm's to make.
  const objects = former.installation.split(/^---$/m).filter((text) => !/^kind: Namespace$/m.test(text));
  await mkdir(join(folder, "chart/templates"), { recursive: true });
  const chart = `apiVersion: v2\nname: mimo-operator\nversion: ${before}\n`;
  await writeFile(join(folder, "chart/Chart.yaml"), chart);
  await writeFile(join(folder, "chart/objects.yaml"), objects.join("---"));
  await writeFile(join(folder, "chart/templates/all.yaml"), '{{ .Files.Get "objects.yaml" }}');
  await shell(cluster, `helm install mimo-operator ${folder}/chart -n mimo-system --create-namespace`);
}

const described = z.looseObject({
  metadata: z.looseObject({ name: z.string(), uid: z.string() }),
  spec: z.looseObject({}),
});
const listed = z.object({ items: z.array(described) });

/** Identity and specification of all objects of a kind: what an upgrade has to leave alone. */
async function identities(cluster: TestCluster, path: string) {
  const { items } = listed.parse(await callApi(cluster.controlPlane, path));
  return items.map(({ metadata, spec }) => {
    const { uid, name, generation, labels, deletionTimestamp } = metadata;
    return { name, uid, generation, labels, deletionTimestamp, spec };
  });
}
const kept = [
  "/api/v1/namespaces/team-a/pods",
  "/apis/apps/v1/namespaces/team-a/statefulsets",
  deploymentsPath(namespace),
];

const recordedStatus = (name: string) => {
  const found = former.objects.find(
    ({ object }) => object.kind === "MiMoDeployment" && object.metadata.name === name,
  );
  return deploymentStatus.parse(found?.object.status);
};
const reasons = ({ conditions }: z.output<typeof deploymentStatus>) =>
  conditions?.map(({ type, status, reason }) => `${type}=${status} ${reason}`);

const names = ["asleep", "flash", "pro", "refused", "waits", "wide"];
describe.each([
  ["kubectl", installByKubectl],
  ["Helm", installByHelm],
])("an upgrade with %s", (way, install) => {
  let cluster: TestCluster;
  let operator: RunningOperator;
  let found: unknown[];
  beforeAll(async () => {
    cluster = await startCluster([], {
      prepare: async (administrator) => {
        await install(administrator);
        await applyInstallation(administrator, [
          { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
        ]);
        await restore(administrator.etcd, former.objects);
      },
    });
    found = await Promise.all(kept.map((path) => identities(cluster, path)));
  });
  afterAll(async () => {
    await operator?.stop();
    await cluster?.stop();
  });

  test("finds what the version before left", () => {
    expect(found.map((objects) => (Array.isArray(objects) ? objects.length : 0))).toEqual([7, 5, 6]);
  });

  test("takes the commands of the page, and they say what stands there", async () => {
    const section = sectionOf(await readFile(join(root, "docs/install.md"), "utf8"), `### With ${way}`);
    const examples = consoleExamples(section);
    expect(examples.length).toBeGreaterThan(1);
    for (const { command, output } of examples) {
      const said = await shell(cluster.controlPlane, command);
      if (output !== "") expect(settled(said), command).toBe(settled(output));
    }
  });

  test("leaves every pod, every StatefulSet and every request as it is", async () => {
    operator = await startOperator(cluster.controlPlane, { resyncSeconds: 1 });
    await reconcileTimes(5, cluster, operator);
    expect(await Promise.all(kept.map((path) => identities(cluster, path)))).toEqual(found);
    const writes = await cluster.operatorWrites(namespace);
    expect(
      writes
        .filter(({ resource }) => resource !== "events")
        .map(({ verb, resource, name }) => `${verb} ${resource} ${name}`),
    ).toEqual([]);
  });

  test.each(names)("tells of %s what the version before told", async (name) => {
    const now = await cluster.status(namespace, name);
    expect(reasons(now)).toEqual(reasons(recordedStatus(name)));
    expect(now.groups).toEqual(recordedStatus(name).groups);
  });

  test("brings the definitions up to date, in which every earlier request is valid", async () => {
    const said = await shell(
      cluster.controlPlane,
      "kubectl explain mimodeployment.spec.podTemplate.patches && kubectl explain mimoplatform.spec.allowedPodTemplatePaths",
    );
    expect(said).toContain("RFC 6902");
    const { items } = listed.parse(await callApi(cluster.controlPlane, deploymentsPath(namespace)));
    for (const { metadata, spec } of items) {
      const body = {
        apiVersion: "mimo.dev/v1alpha1",
        kind: "MiMoDeployment",
        metadata: { name: `again-${metadata.name}` },
        spec,
      };
      const path = `${deploymentsPath(namespace)}?dryRun=All&fieldValidation=Strict`;
      expect(await askApi(cluster.controlPlane, path, { method: "POST", body }), metadata.name).toMatchObject(
        { status: 201 },
      );
    }
  });

  test("goes on with what it found: groups come, move on to another revision and go", async () => {
    await shell(cluster.controlPlane, `kubectl -n ${namespace} scale mimo flash --replicas=1`);
    await cluster.becomesReady(namespace, "flash");
    await shell(
      cluster.controlPlane,
      `kubectl -n ${namespace} patch mimo wide --type=merge -p '{"spec":{"server":{"extraEnv":[{"name":"NCCL_DEBUG","value":"INFO"}]}}}'`,
    );
    await cluster.becomesReady(namespace, "wide");
    await shell(cluster.controlPlane, `kubectl -n ${namespace} delete mimo pro --timeout=60s`);
    await eventually("its pods and its ComputeDomain are gone", async () => {
      const pods = await cluster.pods(namespace);
      const domains = await cluster.list(
        `/apis/resource.nvidia.com/v1beta1/namespaces/${namespace}/computedomains`,
      );
      return pods.every(({ metadata }) => !metadata.name.startsWith("pro-")) && domains.length === 0
        ? true
        : undefined;
    });
  });
});
