import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "../controlplane/api.ts";
import { readAudit } from "../controlplane/audit.ts";
import { kubectl } from "../controlplane/kubectl.ts";
import { createGpuNodes, gpuNode } from "../controlplane/nodes.ts";
import { type LogServer, serveLogs } from "../ranks/log-server.ts";
import { startCluster, type TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { operatorUser, type RunningOperator, startOperator } from "./operator.ts";

let cluster: TestCluster;
let operator: RunningOperator;
let logServer: LogServer;
/** By namespace and pod. */
const logs = new Map<string, string>();

beforeAll(async () => {
  cluster = await startCluster([]);
  logServer = await serveLogs(cluster.controlPlane, (namespace, pod) => logs.get(`${namespace}/${pod}`));
  operator = await startOperator(cluster.controlPlane);
});
afterAll(async () => {
  await operator?.stop();
  logServer?.stop();
  await cluster?.stop();
});

/** The simulated kubelet leaves such pods alone: here the test is the kubelet. */
const podTemplate = { annotations: { "kwok.mimo.dev/hold": "Pending" } };
const addNodes = (kind: "GB300" | "H200", count: number): Promise<void> =>
  createGpuNodes(
    cluster.controlPlane,
    Array.from({ length: count }, (_, index) =>
      gpuNode({ kind, name: `${kind.toLowerCase()}-${index}`, logPort: logServer.port }),
    ),
  );

async function runs(namespace: string, pod: string, ready: boolean): Promise<void> {
  const running = { running: { startedAt: new Date().toISOString() } };
  const server = {
    name: "sglang",
    image: "x",
    imageID: "",
    restartCount: 0,
    ready,
    started: ready,
    state: running,
  };
  await callApi(cluster.controlPlane, `/api/v1/namespaces/${namespace}/pods/${pod}/status`, {
    method: "PATCH",
    body: {
      status: {
        phase: "Running",
        conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
        containerStatuses: [server],
      },
    },
    contentType: "application/strategic-merge-patch+json",
  });
}

const group = async (namespace: string, name: string) => (await cluster.status(namespace, name)).groups?.[0];
const reaches = (
  namespace: string,
  name: string,
  wanted: { state: string; percentLoaded?: number },
): Promise<boolean> =>
  eventually(
    JSON.stringify(wanted),
    async () => {
      const now = await group(namespace, name);
      if (now?.state === wanted.state && now.percentLoaded === wanted.percentLoaded) return true;
      throw new Error(JSON.stringify(now));
    },
    30,
  );
const table = async (namespace: string): Promise<string[]> =>
  (await kubectl(cluster.controlPlane, ["get", "mimo", "-n", namespace])).stdout.trim().split("\n");

const begin = "[2026-11-22 09:14:07 TP0] Load weight begin. avail mem=273.52 GB\n";
const bar = (percent: number): string =>
  `\rMulti-thread loading shards: ${String(percent).padStart(3)}% Completed | ${percent}/100 [00:12<00:15,  1.40s/it]`;
const graphs = "\n[2026-11-22 09:24:07 TP0] Capture cuda graph begin. avail mem=54.31 GB\n";

describe("a server on its way", () => {
  test("is Pending, Pulling, Loading with a percentage, CapturingGraphs, Ready, for few writes", async () => {
    const namespace = await cluster.namespace("progress");
    await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "GB300", podTemplate });
    await reaches(namespace, "pro", { state: "Pending" });
    await cluster.condition(namespace, "pro", "PlacementReady", "False", "NodesMissing");

    await addNodes("GB300", 2);
    await reaches(namespace, "pro", { state: "Pulling" });

    await runs(namespace, "pro-0-0", false);
    await runs(namespace, "pro-0-1", false);
    await reaches(namespace, "pro", { state: "Starting" });
    // Rank 1 tells that it loads and, as SGLang has it, not how much.
    logs.set(`${namespace}/pro-0-1`, begin);
    logs.set(`${namespace}/pro-0-0`, [begin, ...[0, 9, 18, 37].map(bar)].join(""));
    await reaches(namespace, "pro", { state: "Loading", percentLoaded: 35 });
    expect((await cluster.condition(namespace, "pro", "Ready", "False", "Loading")).message).toBe(
      "0 of 1 serving groups are Ready; group 0 has loaded 35 % of its weights",
    );
    const [header = "", row = ""] = await table(namespace);
    expect(header).toMatch(/STATUS +LOADED% +AGE/);
    expect(row).toMatch(/Loading +35 /);

    logs.set(`${namespace}/pro-0-0`, [begin, ...[37, 82].map(bar)].join(""));
    await reaches(namespace, "pro", { state: "Loading", percentLoaded: 80 });
    for (const pod of ["pro-0-0", "pro-0-1"]) logs.set(`${namespace}/${pod}`, begin + bar(100) + graphs);
    await reaches(namespace, "pro", { state: "CapturingGraphs" });
    for (const pod of ["pro-0-0", "pro-0-1"]) await runs(namespace, pod, true);
    await cluster.becomesReady(namespace, "pro");
    expect(await group(namespace, "pro")).toMatchObject({ state: "Ready" });

    const reports = (await cluster.operatorWrites(namespace)).filter(
      ({ subresource }) => subresource === "status",
    );
    // One for each of the seven things that were new, and five because ranks get nodes, run and are Ready one by one.
    expect(reports.length).toBeLessThanOrEqual(7 + 5);
    const readings = await readAudit(
      cluster.controlPlane.auditLog,
      ({ user, subresource, name }) => user === operatorUser && subresource === "log" && name === "pro-0-0",
    );
    const times = readings.map(({ time }) => time.getTime());
    // The operator counts from the end of a reading, the API server from the beginning of the next.
    expect(times.slice(1).every((at, index) => at - (times[index] ?? 0) >= 9_900)).toBe(true);
  });

  test("shows no percentage where its log may not be read, and the operator says so once", async () => {
    const namespace = await cluster.namespace("no-logs");
    const bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    await callApi(cluster.controlPlane, `${bindings}/mimo-operator-logs`, { method: "DELETE" });
    await addNodes("H200", 1);
    await cluster.apply(namespace, "flash", { variant: "MiMo-V2-Flash", hardware: "H200", podTemplate });
    await reaches(namespace, "flash", { state: "Pulling" });
    logs.set(`${namespace}/flash-0-0`, begin + bar(50));
    await runs(namespace, "flash-0-0", false);
    await eventually("a reading is refused", async () => {
      const refused = await readAudit(
        cluster.controlPlane.auditLog,
        ({ user, subresource, name, code }) =>
          user === operatorUser && subresource === "log" && name === "flash-0-0" && code === 403,
      );
      return refused.length === 1 ? true : undefined;
    });
    await reaches(namespace, "flash", { state: "Starting" });
    await runs(namespace, "flash-0-0", true);
    await cluster.becomesReady(namespace, "flash");
    const warnings = (await operator.log()).split("\n").filter((line) => line.includes("mimo-operator-logs"));
    expect(warnings).toHaveLength(1);
  });
});
