import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { readAudit } from "./audit.ts";
import { ensureBinaries } from "./binaries.ts";
import { bootControlPlane, type ControlPlane } from "./boot.ts";
import { serviceAccountKubeconfig } from "./kubeconfig.ts";
import { kubectl } from "./kubectl.ts";
import { STAGES, startKwok } from "./kwok.ts";
import { isAlive } from "./liveness.ts";
import { failNode, recoverNode } from "./node-failure.ts";
import { createGpuNodes, gpuNode } from "./nodes.ts";

// The first run on a machine builds the binaries.
const BUILD_AND_BOOT_MILLISECONDS = 30 * 60_000;
const TEST_MILLISECONDS = 300_000;

let directory: string;
let controlPlane: ControlPlane;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mimo-controlplane-"));
  controlPlane = await bootControlPlane({ directory, onProgress: (line) => console.error(line) });
  startKwok(controlPlane, { stages: STAGES.fast });
  await createGpuNodes(controlPlane, [
    gpuNode({ kind: "H200", name: "h200-0" }),
    gpuNode({ kind: "GB300", name: "gb300-0" }),
  ]);
}, BUILD_AND_BOOT_MILLISECONDS);

afterAll(async () => {
  await controlPlane?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** A StatefulSet whose pods each take all GPUs of a node of one product. */
function gpuStatefulSet(name: string, options: { product: string; gpus: number; replicas: number }): string {
  const gpus = { "nvidia.com/gpu": options.gpus };
  return stringify({
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name, namespace: "default" },
    spec: {
      serviceName: name,
      replicas: options.replicas,
      podManagementPolicy: "Parallel",
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          nodeSelector: { "nvidia.com/gpu.product": options.product },
          tolerations: [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }],
          initContainers: [{ name: "fetch", image: "example.com/fetch:1" }],
          containers: [
            { name: "server", image: "example.com/server:1", resources: { requests: gpus, limits: gpus } },
          ],
        },
      },
    },
  });
}

async function run(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await kubectl(controlPlane, args, input === undefined ? {} : { input });
  expect(stderr + String(code), `kubectl ${args.join(" ")}`).toBe("0");
  return stdout.trim();
}

test(
  "a StatefulSet of two pods that ask for GPUs becomes Ready on the node that has them",
  async () => {
    await run(["apply", "-f", "-"], gpuStatefulSet("pair", { product: "NVIDIA-H200", gpus: 4, replicas: 2 }));
    await run(["rollout", "status", "statefulset/pair", "--timeout=60s"]);

    const columns =
      "{range .items[*]}{.spec.nodeName} {.status.podIP} {.status.containerStatuses[0].started}{'\\n'}{end}";
    const pods = await run(["get", "pods", "-l", "app=pair", `-o=jsonpath=${columns}`]);
    expect(pods.split("\n")).toEqual([
      expect.stringMatching(/^h200-0 10\.\S+ true$/),
      expect.stringMatching(/^h200-0 10\.\S+ true$/),
    ]);
  },
  TEST_MILLISECONDS,
);

test(
  "the audit log names who wrote what, and tells a dry run from a write",
  async () => {
    await run(["create", "configmap", "tried", "--dry-run=server"]);
    await run(["create", "configmap", "made"]);

    const records = await readAudit(controlPlane.auditLog, ({ resource }) => resource === "configmaps");
    const byAdmin = records.filter(({ user, namespace }) => user === "admin" && namespace === "default");
    expect(byAdmin).toEqual([
      expect.objectContaining({ verb: "create", mutating: true, dryRun: true, code: 201 }),
      expect.objectContaining({ verb: "create", name: "made", mutating: true, dryRun: false, code: 201 }),
    ]);
  },
  TEST_MILLISECONDS,
);

test(
  "a ServiceAccount can act by its kubeconfig and only as RBAC lets it",
  async () => {
    await run(["create", "serviceaccount", "reader"]);
    await run(["create", "role", "reader", "--verb=get,list", "--resource=pods"]);
    await run(["create", "rolebinding", "reader", "--role=reader", "--serviceaccount=default:reader"]);
    const kubeconfig = await serviceAccountKubeconfig(controlPlane, "default", "reader");
    const asReader = { binaries: controlPlane.binaries, kubeconfig };

    expect(await kubectl(asReader, ["get", "pods"])).toMatchObject({ code: 0 });
    const refused = await kubectl(asReader, ["get", "secrets"]);
    expect(refused.stderr).toContain(
      'User "system:serviceaccount:default:reader" cannot list resource "secrets"',
    );
  },
  TEST_MILLISECONDS,
);

test(
  "a pod on a failed node stays, not Ready, until the node is back",
  async () => {
    await run(
      ["apply", "-f", "-"],
      gpuStatefulSet("single", { product: "NVIDIA-GB300", gpus: 4, replicas: 1 }),
    );
    await run(["rollout", "status", "statefulset/single", "--timeout=60s"]);

    await failNode(controlPlane, "gb300-0");
    await run(["wait", "pod/single-0", "--for=condition=Ready=False", "--timeout=60s"]);
    await run(["delete", "pod", "single-0", "--wait=false"]);
    expect(await run(["get", "pod", "single-0", "-o=jsonpath={.metadata.deletionTimestamp}"])).not.toBe("");

    await recoverNode(controlPlane, "gb300-0");
    await run(["rollout", "status", "statefulset/single", "--timeout=180s"]);
  },
  TEST_MILLISECONDS,
);

test(
  "a component that cannot start is named with the end of its log, and nothing is left running",
  async () => {
    const failing = await mkdtemp(join(tmpdir(), "mimo-controlplane-"));
    const boot = bootControlPlane({ directory: failing, apiServerFlags: ["--no-such-flag"] });
    await expect(boot).rejects.toThrow(/kube-apiserver ended by itself[\s\S]*unknown flag: --no-such-flag/);
    await rm(failing, { recursive: true });
  },
  TEST_MILLISECONDS,
);

test(
  "a held pod stops at the step its annotation names",
  async () => {
    const pod = (name: string, hold: string): string =>
      stringify({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace: "default", annotations: { "kwok.mimo.dev/hold": hold } },
        spec: { nodeName: "h200-0", containers: [{ name: "server", image: "example.com/server:1" }] },
      });
    await run(["create", "-f", "-"], pod("held-loading", "Loading"));
    await run(["create", "-f", "-"], pod("held-pending", "Pending"));
    await run(["wait", "pod/held-loading", "--for=jsonpath={.status.phase}=Running", "--timeout=60s"]);
    const ready = "-o=jsonpath={.status.phase} {.status.conditions[?(@.type=='Ready')].status}";
    expect(await run(["get", "pod", "held-loading", ready])).toBe("Running False");
    expect(await run(["get", "pod", "held-pending", ready])).toBe("Pending");
  },
  TEST_MILLISECONDS,
);

test(
  "stop leaves no process",
  async () => {
    const pids = Object.values(controlPlane.pids);
    expect(pids).toHaveLength(5);
    await controlPlane.stop();
    expect(pids.filter(isAlive)).toEqual([]);
    expect(controlPlane.pids).toEqual({});
  },
  TEST_MILLISECONDS,
);

test("without Go and without binaries the error says what to install", async () => {
  const empty = await mkdtemp(join(tmpdir(), "mimo-controlplane-"));
  for (const name of ["CONTROL_PLANE_BIN", "KUBEBUILDER_ASSETS", "PATH"]) vi.stubEnv(name, "");
  vi.stubEnv("XDG_CACHE_HOME", empty);
  try {
    await expect(ensureBinaries(["etcd"])).rejects.toThrow(/etcd has to be built.*Install Go 1\.26/);
  } finally {
    vi.unstubAllEnvs();
    await rm(empty, { recursive: true });
  }
});
