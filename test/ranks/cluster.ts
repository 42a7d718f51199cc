/** A control plane whose nodes really run the ranks of the operator's groups. */
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { deploymentStatus } from "../../crds/status.ts";
import { callApi } from "../controlplane/api.ts";
import { readAudit } from "../controlplane/audit.ts";
import { bootControlPlane, type ControlPlane } from "../controlplane/boot.ts";
import { installComputeDomains, startComputeDomainDriver } from "../controlplane/compute-domains.ts";
import { gpuNode } from "../controlplane/nodes.ts";
import { deploymentsPath } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { installOperator, operatorUser, type RunningOperator, startOperator } from "../e2e/operator.ts";
import { type Kubelet, startKubelet } from "./kubelet.ts";
import type { PodView } from "./pod-view.ts";
import type { PodWorker } from "./pod-worker.ts";

const stored = z.object({
  metadata: z.object({ generation: z.int() }),
  status: deploymentStatus.default({}),
});
const deleteBody = z.object({
  preconditions: z.object({ uid: z.string() }),
  gracePeriodSeconds: z.int().optional(),
});

/** Two ranks whose GPUs fill a node each. */
export const pro = { variant: "MiMo-V2.5-Pro", hardware: "GB300" };
/** Pods of its only group. */
export const ranks = ["pro-0-0", "pro-0-1"] as const;

/** Where ranks can be held: before their image is there, before they look for each other, before they load. */
type Phase = "pull" | "rendezvous" | "load";

/** A pod that the operator deleted. Without a grace of its own it has the pod's. */
export interface Deletion {
  readonly pod: string;
  readonly uid: string;
  readonly graceSeconds: number | undefined;
}

export interface RankCluster {
  readonly controlPlane: ControlPlane;
  readonly kubelet: Kubelet;
  /** A namespace with a MiMoDeployment named pro. */
  deploy(namespace: string, spec?: Record<string, unknown>): Promise<void>;
  change(namespace: string, spec: Record<string, unknown>): Promise<void>;
  status(namespace: string): Promise<z.output<typeof deploymentStatus>>;
  /** Ranks that come to the phase wait before it: all, or one of each group. */
  hold(phase: Phase | "nothing", rank?: number): void;
  /** The newest pod of that name on a node; undefined when there is none. */
  pod(namespace: string, name: string): PodWorker | undefined;
  /** Waits until the process of the newest pod of that name has said the words, and returns the pod. */
  says(namespace: string, name: string, words: string): Promise<PodWorker>;
  /** Waits until the deployment is Ready and its group 0 serves with none of the former pods, and returns ranks 0 and 1. */
  whole(
    namespace: string,
    former?: readonly PodWorker[],
    timeoutSeconds?: number,
  ): Promise<readonly [PodWorker, PodWorker]>;
  /** Pods that the operator has deleted, oldest first. */
  deletions(namespace: string): Promise<Deletion[]>;
  /** Ends what is left of a test. */
  clear(namespace: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startRankCluster(): Promise<RankCluster> {
  const directory = await mkdtemp(join(tmpdir(), "mimo-ranks-"));
  const holdFile = join(directory, "hold");
  let held = "nothing";
  const hold = (phase: string, rank?: number): void => {
    held = rank === undefined ? phase : `${phase} ${rank}`;
    writeFileSync(holdFile, held);
  };
  // A node that says nothing is given up after 10 s here, five heartbeats.
  const controllerManagerFlags = ["--node-monitor-grace-period=10s", "--node-monitor-period=1s"];
  const controlPlane = await bootControlPlane({
    directory,
    controllerManagerFlags,
    prepare: async (administrator) => {
      await installOperator(administrator);
      await installComputeDomains(administrator);
    },
  });
  const stopDriver = startComputeDomainDriver(controlPlane);
  hold("nothing");
  const kubelet = await startKubelet({
    controlPlane,
    nodes: [0, 1, 2, 3, 4, 5].map((index) => gpuNode({ kind: "GB300", name: `gb300-${index}` })),
    timeScale: 0.03,
    heartbeatSeconds: 2,
    clusterDomain: "cluster.local",
    isPulled: ({ metadata }) =>
      !["pull", `pull ${metadata.labels["apps.kubernetes.io/pod-index"]}`].includes(held),
    standIn: (pod) => ({
      STANDIN_HOLD: holdFile,
      STANDIN_HEALTH_TIMEOUT_MS: "500",
      STANDIN_DRAIN_POLL_MS: "250",
      STANDIN_SIGTERM: heedsSigterm(pod) ? "exit" : "ignore",
    }),
  });
  let operator: RunningOperator | undefined;
  const stop = async (): Promise<void> => {
    try {
      await operator?.stop();
      await kubelet.stop();
      stopDriver();
    } finally {
      await controlPlane.stop();
      await rm(directory, { recursive: true, force: true });
    }
  };
  try {
    operator = await startOperator(controlPlane);
  } catch (error) {
    await stop();
    throw error;
  }

  const apply = (namespace: string, spec: object): Promise<unknown> =>
    callApi(controlPlane, `${deploymentsPath(namespace, "pro")}?fieldManager=user&force=true`, {
      method: "PATCH",
      body: { apiVersion: "mimo.dev/v1alpha1", kind: "MiMoDeployment", metadata: { name: "pro" }, spec },
      contentType: "application/apply-patch+yaml",
    });

  const read = async (namespace: string): Promise<z.output<typeof stored>> =>
    stored.parse(await callApi(controlPlane, deploymentsPath(namespace, "pro")));

  const isReady = async (namespace: string): Promise<boolean> => {
    const { metadata, status } = await read(namespace);
    const ready = status.conditions?.find(({ type }) => type === "Ready");
    return status.observedGeneration === metadata.generation && ready?.status === "True";
  };

  const newest = (namespace: string, name: string): PodWorker | undefined =>
    kubelet.pods(namespace).findLast((each) => each.pod().metadata.name === name);

  return {
    controlPlane,
    kubelet,
    hold,
    deploy: async (namespace, spec = pro) => {
      const body = { metadata: { name: namespace } };
      await callApi(controlPlane, "/api/v1/namespaces", { method: "POST", body });
      await apply(namespace, spec);
    },
    change: async (namespace, spec) => void (await apply(namespace, spec)),
    status: async (namespace) => (await read(namespace)).status,
    pod: newest,
    says: (namespace, name, words) =>
      eventually(`${name} says "${words}"`, async () => {
        const found = newest(namespace, name);
        if (found?.pid() !== undefined && found.log().includes(words)) return found;
        throw new Error(found?.log().slice(-500) ?? "there is no such pod");
      }),
    whole: (namespace, former = [], timeoutSeconds = 45) =>
      eventually(
        "the group is whole",
        async () => {
          const [leader, other] = ranks.map((name) => newest(namespace, name));
          if (leader === undefined || other === undefined) throw new Error("a rank has no pod");
          if (former.includes(leader) || former.includes(other)) throw new Error("a former rank is there");
          const serves = leader.log().includes("ready to roll");
          const isLost = `${leader.log()}${other.log()}`.includes("lost the connection");
          const meet = leader.log().includes(`rank 1 of ${other.address} joined`);
          const ready = await isReady(namespace);
          if (ready && serves && meet && !isLost) return [leader, other] as const;
          throw new Error(JSON.stringify({ ready, serves, meet, isLost, log: leader.log().slice(-500) }));
        },
        timeoutSeconds,
      ),
    deletions: async (namespace) =>
      (
        await readAudit(
          controlPlane.auditLog,
          ({ user, verb, resource, namespace: of, code }) =>
            user === operatorUser &&
            verb === "delete" &&
            resource === "pods" &&
            of === namespace &&
            code < 300,
        )
      ).map(({ name, requestObject }) => {
        const { preconditions, gracePeriodSeconds } = deleteBody.parse(requestObject);
        return { pod: name, uid: preconditions.uid, graceSeconds: gracePeriodSeconds };
      }),
    clear: async (namespace) => {
      hold("nothing");
      await callApi(controlPlane, `/api/v1/namespaces/${namespace}`, { method: "DELETE" });
      await eventually("no pod is left", async () => {
        for (const each of kubelet.pods(namespace)) each.kill("SIGKILL");
        return kubelet.pods(namespace).length === 0 ? true : undefined;
      });
    },
    stop,
  };
}

/** Ranks above 0 do since SGLang 0.5.21. What came with the models is older. */
function heedsSigterm({ spec: { containers } }: PodView): boolean {
  const patch = /:v0\.5\.(\d+)/.exec(containers[0].image)?.[1];
  return patch !== undefined && Number(patch) >= 21;
}
