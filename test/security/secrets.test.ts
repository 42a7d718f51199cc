import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { resources } from "../../charts/resources.ts";
import { collectionPath } from "../../operator/runtime/paths.ts";
import { askApi, callApi } from "../controlplane/api.ts";
import { readAudit } from "../controlplane/audit.ts";
import { createGpuNodes, gpuNode } from "../controlplane/nodes.ts";
import { startCluster, type TestCluster } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { metricsText } from "../e2e/metrics.ts";
import { operatorUser, type RunningOperator, startOperator } from "../e2e/operator.ts";
import { type LogServer, serveLogs } from "../ranks/log-server.ts";
import { mimo } from "../unit/cli/run.ts";

const values = {
  huggingFace: "hf_CanaryOfHuggingFace0123456789",
  apiKey: "sk-canary-of-the-api-key",
  laterApiKey: "sk-canary-of-a-later-key",
  registry: "canary-password-of-the-registry",
};
/** By name. */
const secrets = {
  "hugging-face": { token: values.huggingFace },
  gateway: { key: values.apiKey, later: values.laterApiKey },
  mirror: { password: values.registry },
};
/** As SGLang prints them when it starts. */
const printedArguments = (apiKey: string): string =>
  `[2026-11-22 09:14:01] server_args=ServerArgs(model_path='XiaomiMiMo/MiMo-V2-Flash', host='0.0.0.0', api_key='${apiKey}', log_level='info')`;
const outOfMemory = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB";
const lastWords = `${printedArguments(values.apiKey)}\n401 Client Error for https://u:${values.huggingFace}@huggingface.co\n${outOfMemory}`;

const usesSecrets = (key: "key" | "later" = "key") => ({
  image: { pullSecrets: ["mirror"] },
  model: { huggingFace: { tokenSecret: { name: "hugging-face", key: "token" } } },
  server: { apiKeySecret: { name: "gateway", key } },
});
const flash = { variant: "MiMo-V2-Flash", hardware: "H200" };
/** Here the test is the kubelet. */
const podTemplate = { annotations: { "kwok.mimo.dev/hold": "Pending" } };
const pro = { variant: "MiMo-V2.5-Pro", hardware: "H20" };
const namespace = "canaries";

let cluster: TestCluster;
let operator: RunningOperator;
let logServer: LogServer;
/** What was said, by where. */
const outputs = new Map<string, string>();
/** What deployments failed with, as their status says. */
const failures = new Map<string, string>();

const send = (method: "POST" | "PATCH", path: string, body: object) =>
  callApi(cluster.controlPlane, path, {
    method,
    body,
    ...(method === "PATCH" && { contentType: "application/strategic-merge-patch+json" }),
  });

/** What a kubelet reports of a rank's container. */
const report = (pod: string, container: object): Promise<unknown> =>
  send("PATCH", `/api/v1/namespaces/${namespace}/pods/${pod}/status`, {
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: "False" }],
      containerStatuses: [
        {
          name: "sglang",
          image: "x",
          imageID: "",
          restartCount: 0,
          ready: false,
          started: false,
          ...container,
        },
      ],
    },
  });
const crashed = () => {
  const at = new Date().toISOString();
  const terminated = { exitCode: 1, reason: "Error", message: lastWords, startedAt: at, finishedAt: at };
  return { restartCount: 1, lastState: { terminated } };
};
const running = () => ({
  state: { running: { startedAt: new Date().toISOString() }, waiting: null, terminated: null },
});
async function isTold(name: string): Promise<void> {
  const told = await eventually(`what ${name} failed with`, async () => {
    const { groups } = await cluster.status(namespace, name);
    return groups?.find(({ lastFailure }) => lastFailure !== undefined)?.lastFailure?.message;
  });
  failures.set(name, told);
}

/** One node: its log is read, it crashes, its Secret lacks the key. */
async function crashOfOneNode(): Promise<void> {
  await cluster.apply(namespace, "flash", { ...flash, ...usesSecrets(), podTemplate });
  await eventually("its pod has a node", async () =>
    (await cluster.pods(namespace)).some(
      ({ metadata, spec }) => metadata.name === "flash-0-0" && spec.nodeName,
    ),
  );
  await report("flash-0-0", running());
  await eventually("its log was read", async () => {
    const { groups } = await cluster.status(namespace, "flash");
    return groups?.[0]?.percentLoaded === 35 ? true : undefined;
  });
  const { terminated } = crashed().lastState;
  await report("flash-0-0", { state: { terminated, running: null } });
  await eventually("the end of its container is told", async () =>
    (await cluster.conditions(namespace, "flash")).Ready?.message.includes(outOfMemory),
  );
  await report("flash-0-0", { ...running(), ...crashed() });
  await isTold("flash");
  const message = `couldn't find key token in Secret ${namespace}/hugging-face`;
  await report("flash-0-0", {
    ...crashed(),
    state: { waiting: { reason: "CreateContainerConfigError", message }, running: null, terminated: null },
  });
  await eventually("the kubelet's words are told", async () =>
    (await cluster.conditions(namespace, "flash")).Ready?.message.includes(message),
  );
}

/** Two nodes: a rank crashes and all are rebuilt; another key is rolled out; the connection is lost. */
async function lifeOfTwoNodes(): Promise<void> {
  await cluster.apply(namespace, "pro", { ...pro, ...usesSecrets() });
  await cluster.becomesReady(namespace, "pro");
  await report("pro-0-1", { ...running(), ...crashed() });
  await isTold("pro");
  await cluster.becomesReady(namespace, "pro");
  await cluster.apply(namespace, "pro", { ...pro, ...usesSecrets("later") });
  await cluster.becomesReady(namespace, "pro");
  await cluster.controlPlane.components.restart("kube-apiserver");
  // Once it answers, it still looks for the kind that its admission policies have for their parameter.
  await eventually("the API server takes the request", async () => {
    await cluster.apply(namespace, "pro", { ...pro, ...usesSecrets(), contextLength: 65_536 });
    return true;
  });
  await cluster.becomesReady(namespace, "pro");
}

/** What is refused is repeated to its author. */
async function refusals(): Promise<void> {
  const server = { ...usesSecrets().server, extraArgs: ["--api-key=mine"] };
  await cluster.apply(namespace, "refused", { ...flash, ...usesSecrets(), server });
  await cluster.condition(namespace, "refused", "Accepted", "False");
}

beforeAll(async () => {
  cluster = await startCluster([0, 1, 2].map((index) => gpuNode({ kind: "H20", name: `h20-${index}` })));
  const bar = "Multi-thread loading shards:  37% Completed | 37/100";
  const log = `${printedArguments(values.apiKey)}\n[2026-11-22 09:14:07 TP0] Load weight begin.\n\r${bar}`;
  logServer = await serveLogs(cluster.controlPlane, () => log);
  await createGpuNodes(cluster.controlPlane, [
    gpuNode({ kind: "H200", name: "h200-0", logPort: logServer.port }),
  ]);
  await cluster.namespace(namespace);
  for (const [name, stringData] of Object.entries(secrets))
    await send("POST", `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name }, stringData });
  operator = await startOperator(cluster.controlPlane, { logLevel: "trace" });
  await crashOfOneNode();
  await refusals();
  await lifeOfTwoNodes();
  await collect();
});
afterAll(async () => {
  await operator?.stop();
  logServer?.stop();
  await cluster?.stop();
});

const writtenKinds = [
  resources.mimoDeployments,
  resources.statefulSets,
  resources.controllerRevisions,
  resources.services,
  resources.networkPolicies,
  resources.podDisruptionBudgets,
  resources.events,
];

/** Everything that the operator and the command say to anybody. */
async function collect(): Promise<void> {
  outputs.set("the operator's log", await operator.log());
  outputs.set("its metrics", await metricsText(operator));
  for (const resource of writtenKinds) {
    const { body } = await askApi(cluster.controlPlane, collectionPath(resource, namespace));
    outputs.set(resource.plural, body);
  }
  // Status, its own Events and Leases are in it, too, and what was overwritten since.
  const writes = await readAudit(
    cluster.controlPlane.auditLog,
    ({ user, mutating }) => user === operatorUser && mutating,
  );
  outputs.set("every write that it sent", JSON.stringify(writes));
  const file = join(cluster.controlPlane.directory, "pro.yaml");
  const document = {
    apiVersion: "mimo.dev/v1alpha1",
    kind: "MiMoDeployment",
    metadata: { name: "pro", namespace },
  };
  await writeFile(file, stringify({ ...document, spec: { ...pro, ...usesSecrets() } }));
  const inCluster = ["-n", namespace, "--kubeconfig", cluster.controlPlane.kubeconfig];
  const commands = [
    ["status", ...inCluster],
    ["status", "flash", "-o", "json", ...inCluster],
    ["history", "pro", ...inCluster],
    ["diff", "pro", ...inCluster],
    ["events", "pro", ...inCluster],
    ["doctor", "--kubeconfig", cluster.controlPlane.kubeconfig],
    ["plan", "-f", file],
    ["render", "-f", file],
  ];
  for (const args of commands) {
    const { stdout, stderr } = await mimo(args);
    outputs.set(`mimo ${args.slice(0, 2).join(" ")}`, stdout + stderr);
  }
}

const kubeconfigShape = z.object({
  users: z.tuple([z.object({ user: z.object({ token: z.string() }) })]),
});

describe("nothing that the operator or the command says", () => {
  test("is empty, and it does name the Secrets", () => {
    for (const [what, text] of outputs) expect(text.length, what).toBeGreaterThan(20);
    for (const what of ["every write that it sent", "mimo plan -f", "mimo render -f", "events"])
      expect(outputs.get(what), what).toMatch(/gateway|hugging-face/);
  });

  test("holds a Secret's value, as it is or encoded", () => {
    const forms = Object.values(values).flatMap((value) => [value, Buffer.from(value).toString("base64")]);
    for (const [what, text] of outputs)
      expect(
        forms.filter((form) => text.includes(form)),
        what,
      ).toEqual([]);
  });

  test("holds the operator's own token, or that of whoever runs the command", async () => {
    const { directory, adminToken } = cluster.controlPlane;
    const file = await readFile(join(directory, "mimo-system.mimo-operator.kubeconfig"), "utf8");
    const [{ user }] = kubeconfigShape.parse(parse(file)).users;
    for (const [what, text] of outputs)
      expect(
        [user.token, adminToken].filter((token) => text.includes(token)),
        what,
      ).toEqual([]);
  });
});

describe("a crash whose last words hold credentials", () => {
  test.each(["flash", "pro"])("is told with its reason and without them: %s", (name) => {
    const message = failures.get(name);
    expect(message).toContain("api_key='[hidden]', log_level='info'");
    expect(message).toContain("https://u:[hidden]@huggingface.co");
    expect(message).toContain(outOfMemory);
  });
});

test("the operator reads no Secret, and may not", async () => {
  const asked = await readAudit(
    cluster.controlPlane.auditLog,
    ({ user, resource }) => user === operatorUser && resource === "secrets",
  );
  expect(asked).toEqual([]);
  const review = {
    spec: { user: operatorUser, resourceAttributes: { namespace, verb: "get", resource: "secrets" } },
  };
  const answer = await send("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review);
  expect(answer).toMatchObject({ status: { allowed: false } });
});
