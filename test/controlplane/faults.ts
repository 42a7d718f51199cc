/** What happens to running pods and their nodes, as the API server sees it. */
import { podView } from "../../operator/deployment/objects.ts";
import { type ApiAccess, askApi, type callApi } from "./api.ts";
import { failNode } from "./node-failure.ts";

export const podFaults = ["pod deleted", "pod Failed", "container restart"] as const;
export const faults = [...podFaults, "eviction", "node NotReady", "node deleted"] as const;
export type Fault = (typeof faults)[number];

export interface Victim {
  readonly namespace: string;
  readonly name: string;
}

/**
 * Does to a pod what a person, a kubelet, a crash of its process or the loss of its node does.
 * @returns false when a disruption budget refused the eviction, or the pod or its node was gone already
 */
export async function inject(access: ApiAccess, fault: Fault, { namespace, name }: Victim): Promise<boolean> {
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  const found = await askApi(access, path);
  if (found.status === 404) return false;
  const { metadata, spec, status } = podView.parse(JSON.parse(found.body));
  switch (fault) {
    case "pod deleted":
      return isDone(access, path, { method: "DELETE", body: { preconditions: { uid: metadata.uid } } });
    case "eviction": {
      const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
      return isDone(access, `${path}/eviction`, { method: "POST", body });
    }
    case "pod Failed":
      return patchStatus(access, path, metadata.uid, {
        phase: "Failed",
        reason: "Evicted",
        message: "The node was low on resource: memory.",
      });
    case "container restart": {
      const [container] = status?.containerStatuses ?? [];
      if (container === undefined) return false;
      const now = new Date().toISOString();
      const startedAt = container.state?.running?.startedAt ?? now;
      const terminated = {
        exitCode: 137,
        reason: "OOMKilled",
        message: "CUDA out of memory",
        startedAt,
        finishedAt: now,
      };
      return patchStatus(access, path, metadata.uid, {
        containerStatuses: [
          {
            name: container.name,
            restartCount: (container.restartCount ?? 0) + 1,
            state: { running: { startedAt: now } },
            lastState: { terminated },
          },
        ],
      });
    }
    case "node NotReady":
    case "node deleted": {
      const node = spec.nodeName;
      if (node === undefined) return false;
      if (fault === "node deleted") return isDone(access, `/api/v1/nodes/${node}`, { method: "DELETE" });
      await failNode(access, node);
      return true;
    }
  }
}

const patchStatus = (access: ApiAccess, path: string, uid: string, status: object): Promise<boolean> =>
  isDone(access, `${path}/status`, {
    method: "PATCH",
    body: { metadata: { uid }, status },
    contentType: "application/strategic-merge-patch+json",
  });

/** Gone or replaced (404, 409, 422 of its UID) and refused by a budget (429) are answers, anything else is an error. */
async function isDone(
  access: ApiAccess,
  path: string,
  request: Parameters<typeof callApi>[2],
): Promise<boolean> {
  const { status, body } = await askApi(access, path, request);
  if ([404, 409, 429].includes(status)) return false;
  if (status === 422 && body.includes("metadata.uid")) return false;
  if (status >= 300) throw new Error(`${request?.method} ${path} answered ${status}: ${body}`);
  return true;
}
