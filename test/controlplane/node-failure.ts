/** Nodes that go down and come back, as the rest of the cluster sees it. */
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { type ApiAccess, callApi } from "./api.ts";

const RECOVERY_TIMEOUT_SECONDS = 120;

const conditions = z.array(z.looseObject({ type: z.string(), status: z.string() })).default([]);
const nodeStatus = z.object({ status: z.object({ conditions }) });
const podList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({
        name: z.string(),
        namespace: z.string(),
        deletionTimestamp: z.string().optional(),
      }),
      status: z.object({ conditions }),
    }),
  ),
});

/**
 * A node as after a power loss, without the controller manager's wait of 50 s for it: kwok leaves the node and its
 * pods alone (a pod deleted there stays Terminating), the Ready conditions are what the controller manager would
 * make them, and it goes on from there (taint, eviction; but as in any cluster, no eviction while all nodes are down).
 */
export async function failNode(access: ApiAccess, node: string): Promise<void> {
  await takeLease(access, node, 365 * 24 * 3600);
  const lost = { reason: "NodeStatusUnknown", message: "Kubelet stopped posting node status." };
  await setReady(access, `/api/v1/nodes/${node}/status`, { status: "Unknown", ...lost });
  for (const pod of await podsOn(access, node)) {
    await holdTerminating(access, pod, "Terminating");
    if (pod.isTrue("Ready")) await setReady(access, `${pod.path}/status`, { status: "False" });
  }
}

/** Undoes `failNode` and waits until kwok has the node Ready again, which takes up to a quarter of its lease. */
export async function recoverNode(access: ApiAccess, node: string): Promise<void> {
  await takeLease(access, node, 1);
  const deadline = performance.now() + RECOVERY_TIMEOUT_SECONDS * 1000;
  for (;;) {
    const { status } = nodeStatus.parse(await callApi(access, `/api/v1/nodes/${node}`));
    if (status.conditions.some((condition) => condition.type === "Ready" && condition.status === "True"))
      break;
    if (performance.now() > deadline) {
      throw new Error(
        `node ${node} not Ready ${RECOVERY_TIMEOUT_SECONDS} s after its recovery. Is kwok running?`,
      );
    }
    await delay(100);
  }
  // A kubelet that is back finds its containers running and says so.
  for (const pod of await podsOn(access, node)) {
    await holdTerminating(access, pod, null);
    // One that was deleted meanwhile ends as soon as nothing holds it.
    if (!pod.isGoing && pod.isTrue("ContainersReady"))
      await setReady(access, `${pod.path}/status`, { status: "True" });
  }
}

/** kwok may learn of its lost lease later than of a deletion; the annotation it sees with the deletion itself. */
const holdTerminating = (access: ApiAccess, { path }: PodOnNode, hold: "Terminating" | null): Promise<void> =>
  mergePatch(access, path, { metadata: { annotations: { "kwok.mimo.dev/hold": hold } } });

/** Takes the lease from kwok, which acts for a node only while it holds it and waits for another's to run out. */
async function takeLease(access: ApiAccess, node: string, seconds: number): Promise<void> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${node}`;
  const renewTime = new Date().toISOString().replace("Z", "000Z"); // a MicroTime
  const spec = { holderIdentity: "nobody", leaseDurationSeconds: seconds, renewTime };
  await mergePatch(access, path, { spec });
}

interface PodOnNode {
  readonly path: string;
  readonly isGoing: boolean;
  isTrue(condition: string): boolean;
}

async function podsOn(access: ApiAccess, node: string): Promise<PodOnNode[]> {
  const { items } = podList.parse(await callApi(access, `/api/v1/pods?fieldSelector=spec.nodeName=${node}`));
  return items.map(({ metadata, status }) => ({
    path: `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`,
    isGoing: metadata.deletionTimestamp !== undefined,
    isTrue: (type) =>
      status.conditions.some((condition) => condition.type === type && condition.status === "True"),
  }));
}

async function setReady(
  access: ApiAccess,
  statusPath: string,
  fields: Readonly<Record<string, string>>,
): Promise<void> {
  const ready = { type: "Ready", lastTransitionTime: new Date().toISOString(), ...fields };
  await mergePatch(access, statusPath, { status: { conditions: [ready] } });
}

async function mergePatch(access: ApiAccess, path: string, body: unknown): Promise<void> {
  await callApi(access, path, {
    method: "PATCH",
    body,
    contentType: "application/strategic-merge-patch+json",
  });
}
