/** What can happen to a deployment, each told the same way in any namespace. */
import { resources } from "../../charts/resources.ts";
import { objectPath } from "../../operator/runtime/paths.ts";
import { callApi } from "../controlplane/api.ts";
import { deploymentsPath, type TestCluster } from "../e2e/cluster.ts";

/** Groups of two nodes. */
export const pro = { variant: "MiMo-V2.5-Pro", hardware: "H20" } as const;
export const deploymentName = "pro";

export interface Story {
  readonly name: string;
  /** The deployment that is Ready before the story begins; absent where the story makes it. */
  readonly given?: Readonly<Record<string, unknown>>;
  /** Done once that is Ready. */
  readonly prepare?: (cluster: TestCluster, namespace: string) => Promise<unknown>;
  readonly act: (cluster: TestCluster, namespace: string) => Promise<unknown>;
}

const apply =
  (spec: Readonly<Record<string, unknown>>): Story["act"] =>
  (cluster, namespace) =>
    cluster.apply(namespace, deploymentName, spec);

/** Patches a pod as its kubelet or its owner would. */
function patchPod(
  { controlPlane }: TestCluster,
  namespace: string,
  name: string,
  body: object,
  subresource?: "status",
): Promise<unknown> {
  return callApi(controlPlane, objectPath(resources.pods, { namespace, name }, subresource), {
    method: "PATCH",
    body,
    contentType: "application/strategic-merge-patch+json",
  });
}

/** Keeps a pod Terminating once it is deleted, as one that finishes its requests; undefined lets it go. */
export const holdWhileTerminating = (
  cluster: TestCluster,
  namespace: string,
  name: string,
  hold: "Terminating" | null = "Terminating",
): Promise<unknown> =>
  patchPod(cluster, namespace, name, { metadata: { annotations: { "kwok.mimo.dev/hold": hold } } });

export const restartContainer = (cluster: TestCluster, namespace: string, name: string): Promise<unknown> => {
  const at = new Date().toISOString();
  const terminated = { exitCode: 137, reason: "OOMKilled", startedAt: at, finishedAt: at };
  const container = { name: "sglang", ready: true, restartCount: 1, lastState: { terminated } };
  return patchPod(cluster, namespace, name, { status: { containerStatuses: [container] } }, "status");
};

const onFailure = { rollout: { onFailure: "Rollback" } } as const;
/** No kubelet gets this image. */
const badImage = {
  image: { tag: "no-such-tag" },
  podTemplate: { annotations: { "kwok.mimo.dev/hold": "ImagePullBackOff" } },
};

export const stories: readonly Story[] = [
  { name: "form", act: apply({ ...pro, replicas: 2 }) },
  {
    name: "recover",
    given: pro,
    act: (cluster, namespace) => restartContainer(cluster, namespace, "pro-0-1"),
  },
  {
    name: "rollout",
    given: { ...pro, replicas: 2 },
    act: apply({ ...pro, replicas: 2, contextLength: 65_536 }),
  },
  {
    name: "rollback",
    given: { ...pro, ...onFailure, replicas: 2 },
    act: apply({ ...pro, ...onFailure, ...badImage, replicas: 2 }),
  },
  { name: "scale-down", given: { ...pro, replicas: 2 }, act: apply({ ...pro, replicas: 1 }) },
  { name: "suspend", given: pro, act: apply({ ...pro, suspend: true }) },
  {
    name: "delete",
    given: pro,
    // Else it is gone before the operator could shorten its grace.
    prepare: (cluster, namespace) => holdWhileTerminating(cluster, namespace, "pro-0-1"),
    act: (cluster, namespace) =>
      callApi(cluster.controlPlane, deploymentsPath(namespace, deploymentName), { method: "DELETE" }),
  },
];
