/** NVIDIA's own controller of ComputeDomains. Only its kubelet plugin's part, a channel on each node, is played. */

import { callApi } from "../controlplane/api.ts";
import { publishChannels } from "../controlplane/compute-domains.ts";
import { installDocuments } from "../controlplane/install.ts";
import { serviceAccountKubeconfig } from "../controlplane/kubeconfig.ts";
import type { Fabric } from "../e2e/cluster.ts";
import { ensureDriver } from "./driver/build.ts";

const namespace = "dra-driver-nvidia-gpu";
const name = "compute-domain-controller";
/** Who writes, in the audit log. */
export const driverUser = `system:serviceaccount:${namespace}:${name}`;

/** It asks for its own pod's fields, and for nothing else of it. */
const objects = [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
  { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
  {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ kind: "ServiceAccount", name, namespace }],
  },
];

/** @param channels on each node; real nodes have one, more pack many groups on few nodes */
export async function nvidiaDriver(channels: number): Promise<Fabric> {
  const { controller, manifests } = await ensureDriver((line) => console.info(line));
  return {
    install: async (administrator) => {
      const input = [...manifests, ...objects.map((object) => JSON.stringify(object))].join("\n---\n");
      await installDocuments(administrator, input);
    },
    start: async (controlPlane) => {
      await publishChannels(controlPlane, new Set(), channels);
      await callApi(controlPlane, `/api/v1/namespaces/${namespace}/pods`, {
        method: "POST",
        body: { metadata: { name }, spec: { serviceAccountName: name, containers: [{ name, image: name }] } },
      });
      const kubeconfig = await serviceAccountKubeconfig(controlPlane, namespace, name);
      controlPlane.components.start(name, controller, [
        ...["--kubeconfig", kubeconfig, "--namespace", namespace, "--pod-name", name, "--image-name", name],
        ...["--log-verbosity-cd-daemon", "0", "--kube-api-qps", "500", "--kube-api-burst", "1000"],
      ]);
      return () => undefined;
    },
  };
}
