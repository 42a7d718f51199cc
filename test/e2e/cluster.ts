import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { deploymentStatus } from "../../crds/status.ts";
import { askApi, callApi } from "../controlplane/api.ts";
import { type AuditRecord, readAudit } from "../controlplane/audit.ts";
import {
  type Administrator,
  type BootOptions,
  bootControlPlane,
  type ControlPlane,
} from "../controlplane/boot.ts";
import { installComputeDomains, startComputeDomainDriver } from "../controlplane/compute-domains.ts";
import { guardNewPods } from "../controlplane/guard-new-pods.ts";
import { STAGES, startKwok } from "../controlplane/kwok.ts";
import { createGpuNodes, gpuNode, type NodeObject } from "../controlplane/nodes.ts";
import { eventually } from "./eventually.ts";
import { installOperator, operatorUser } from "./operator.ts";

const podShape = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
    annotations: z.record(z.string(), z.string()).default({}),
    deletionTimestamp: z.string().optional(),
  }),
  spec: z.object({ nodeName: z.string().optional(), schedulingGates: z.array(z.unknown()).optional() }),
  status: z.object({ phase: z.string().default("") }),
});
export type PodShape = z.output<typeof podShape>;
const metadataShape = z.looseObject({
  metadata: z.looseObject({ name: z.string(), uid: z.string(), resourceVersion: z.string() }),
});
export type Stored = z.output<typeof metadataShape>;

export type Conditions = Readonly<Record<string, { status: string; reason: string; message: string }>>;

export interface TestCluster {
  readonly controlPlane: ControlPlane;
  namespace(name: string): Promise<string>;
  /** Creates or changes a MiMoDeployment as a user would, by server-side apply. */
  apply(namespace: string, name: string, spec: Record<string, unknown>): Promise<void>;
  /** Deletes every MiMoDeployment, and waits until its nodes are free for the next test. */
  clear(): Promise<void>;
  status(namespace: string, name: string): Promise<z.output<typeof deploymentStatus>>;
  conditions(namespace: string, name: string): Promise<Conditions>;
  becomesReady(namespace: string, name: string, timeoutSeconds?: number): Promise<void>;
  /** Waits until a condition has the status (and the reason), and returns it. */
  condition(
    namespace: string,
    name: string,
    type: string,
    status: string,
    reason?: string,
  ): Promise<{ reason: string; message: string }>;
  pods(namespace: string): Promise<PodShape[]>;
  list(path: string): Promise<Stored[]>;
  get(path: string): Promise<Stored>;
  exists(path: string): Promise<boolean>;
  /** What the operator wrote, of one namespace. Lease renewals are not in it. */
  operatorWrites(namespace: string): Promise<AuditRecord[]>;
  stop(): Promise<void>;
}

export const deploymentsPath = (namespace: string, name = ""): string =>
  `/apis/mimo.dev/v1alpha1/namespaces/${namespace}/mimodeployments${name === "" ? "" : `/${name}`}`;

/** Who makes IMEX channels for ComputeDomains. */
export interface Fabric {
  install(administrator: Administrator): Promise<void>;
  /** @returns what ends it */
  start(controlPlane: ControlPlane): Promise<() => void>;
}

const standIn: Fabric = {
  install: installComputeDomains,
  start: async (controlPlane) => startComputeDomainDriver(controlPlane),
};

/** Eight nodes of every kind; the GB300 nodes are in one NVLink domain. */
const eightOfEach = (["H20", "H100", "H200", "B200", "GB300"] as const).flatMap((kind) =>
  [0, 1, 2, 3, 4, 5, 6, 7].map((index) =>
    gpuNode({
      kind,
      name: `${kind.toLowerCase()}-${index}`,
      ...(kind === "GB300" ? { clique: "a2221497-dbce-4964-8826-684c3694fd45.2478" } : {}),
    }),
  ),
);

/** A control plane with GPU nodes and the operator's CRDs and RBAC; the operator itself is started by the test. */
export async function startCluster(
  nodes: readonly NodeObject[] = eightOfEach,
  options: Pick<BootOptions, "prepare" | "apiServerFlags" | "controllerManagerFlags" | "schedulerFlags"> = {},
  /** Installs what makes IMEX channels, and plays it. */
  fabric: Fabric = standIn,
): Promise<TestCluster> {
  const directory = await mkdtemp(join(tmpdir(), "mimo-e2e-"));
  const { prepare = installOperator, ...flags } = options;
  const controlPlane = await bootControlPlane({
    directory,
    ...flags,
    prepare: async (administrator) => {
      await prepare(administrator);
      await fabric.install(administrator);
    },
  });
  startKwok(controlPlane, { stages: STAGES.fast });
  await guardNewPods(controlPlane);
  await createGpuNodes(controlPlane, nodes);
  const stopFabric = await fabric.start(controlPlane);

  const get = async (path: string): Promise<Stored> => metadataShape.parse(await callApi(controlPlane, path));
  const status = async (namespace: string, name: string) =>
    deploymentStatus.parse((await get(deploymentsPath(namespace, name))).status ?? {});
  const conditions = async (namespace: string, name: string): Promise<Conditions> => {
    const all = (await status(namespace, name)).conditions ?? [];
    return Object.fromEntries(all.map((each) => [each.type, each]));
  };
  const condition = (
    namespace: string,
    name: string,
    type: string,
    wanted: string,
    reason?: string,
    timeoutSeconds?: number,
  ) =>
    eventually(
      `${name} is ${type}=${wanted} ${reason ?? ""}`,
      async () => {
        const stored = await get(deploymentsPath(namespace, name));
        const { generation } = z.object({ generation: z.int() }).parse(stored.metadata);
        const now = deploymentStatus.parse(stored.status ?? {});
        const found = now.conditions?.find((each) => each.type === type);
        const isMeant = found?.status === wanted && (reason === undefined || found.reason === reason);
        if (now.observedGeneration === generation && isMeant) return found;
        throw new Error(JSON.stringify(now.conditions ?? "no status yet"));
      },
      timeoutSeconds,
    );
  return {
    controlPlane,
    namespace: async (name) => {
      await callApi(controlPlane, "/api/v1/namespaces", { method: "POST", body: { metadata: { name } } });
      return name;
    },
    apply: async (namespace, name, spec) => {
      const body = {
        apiVersion: "mimo.dev/v1alpha1",
        kind: "MiMoDeployment",
        metadata: { name, namespace },
        spec,
      };
      await callApi(controlPlane, `${deploymentsPath(namespace, name)}?fieldManager=user&force=true`, {
        method: "PATCH",
        body,
        contentType: "application/apply-patch+yaml",
      });
    },
    clear: async () => {
      const list = z.object({
        items: z.array(z.object({ metadata: z.object({ name: z.string(), namespace: z.string() }) })),
      });
      const all = list.parse(await callApi(controlPlane, "/apis/mimo.dev/v1alpha1/mimodeployments")).items;
      // One that was already on its way out may be gone before its turn comes.
      for (const { metadata } of all)
        await askApi(controlPlane, deploymentsPath(metadata.namespace, metadata.name), { method: "DELETE" });
      await eventually("all pods are gone", async () => {
        const { items } = z
          .object({ items: z.array(z.unknown()) })
          .parse(await callApi(controlPlane, "/api/v1/pods"));
        return items.length === 0 ? true : undefined;
      });
    },
    status,
    conditions,
    condition,
    becomesReady: async (namespace, name, timeoutSeconds) => {
      await condition(namespace, name, "Ready", "True", undefined, timeoutSeconds);
    },
    pods: async (namespace) =>
      z
        .object({ items: z.array(podShape) })
        .parse(await callApi(controlPlane, `/api/v1/namespaces/${namespace}/pods`)).items,
    list: async (path) =>
      z.object({ items: z.array(metadataShape) }).parse(await callApi(controlPlane, path)).items,
    get,
    exists: async (path) => (await askApi(controlPlane, path)).status === 200,
    operatorWrites: (namespace) =>
      readAudit(
        controlPlane.auditLog,
        (record) => record.user === operatorUser && record.mutating && record.namespace === namespace,
      ),
    stop: async () => {
      stopFabric();
      await controlPlane.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
