import type { Pod } from "../../operator/deployment/objects.ts";
import { callApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";

export const faults = ["pod deleted", "pod Failed", "container restart"] as const;
export type Fault = (typeof faults)[number];

const pathOf = ({ metadata: { namespace, name } }: Pod): string =>
  `/api/v1/namespaces/${namespace}/pods/${name}`;

/** Does to a running pod what a person, an eviction by its kubelet, or a crash of its process does. */
export async function inject(controlPlane: ControlPlane, fault: Fault, pod: Pod): Promise<void> {
  switch (fault) {
    case "pod deleted":
      await callApi(controlPlane, pathOf(pod), { method: "DELETE" });
      break;
    case "pod Failed":
      await patchStatus(controlPlane, pod, {
        phase: "Failed",
        reason: "Evicted",
        message: "The node was low on resource: memory.",
      });
      break;
    case "container restart": {
      const [container] = pod.status?.containerStatuses ?? [];
      if (container === undefined)
        throw new Error(`${pod.metadata.name} has no container that could restart`);
      const now = new Date().toISOString();
      const startedAt = container.state?.running?.startedAt ?? now;
      await patchStatus(controlPlane, pod, {
        containerStatuses: [
          {
            name: container.name,
            restartCount: 1,
            ready: true,
            state: { running: { startedAt: now } },
            lastState: { terminated: { exitCode: 137, reason: "OOMKilled", startedAt, finishedAt: now } },
          },
        ],
      });
    }
  }
}

const patchStatus = (controlPlane: ControlPlane, pod: Pod, status: object): Promise<unknown> =>
  callApi(controlPlane, `${pathOf(pod)}/status`, {
    method: "PATCH",
    body: { metadata: { uid: pod.metadata.uid }, status },
    contentType: "application/strategic-merge-patch+json",
  });
