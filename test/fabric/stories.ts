/** What can happen to a deployment whose groups have ComputeDomains. */
import { callApi } from "../controlplane/api.ts";
import { kubectl } from "../controlplane/kubectl.ts";
import { deploymentsPath } from "../e2e/cluster.ts";
import { deploymentName, restartContainer, type Story } from "../lifecycle/stories.ts";

const pro = { variant: "MiMo-V2.5-Pro", hardware: "GB300" } as const;

const apply =
  (spec: Readonly<Record<string, unknown>>): Story["act"] =>
  (cluster, namespace) =>
    cluster.apply(namespace, deploymentName, spec);

export const stories: readonly Story[] = [
  { name: "form", act: apply({ ...pro, replicas: 2 }) },
  {
    name: "recover",
    given: pro,
    act: (cluster, namespace) => restartContainer(cluster, namespace, "pro-0-1"),
  },
  { name: "scale-down", given: { ...pro, replicas: 2 }, act: apply({ ...pro, replicas: 1 }) },
  { name: "suspend", given: pro, act: apply({ ...pro, suspend: true }) },
  { name: "off", given: pro, act: apply({ ...pro, fabric: { mnnvl: "Off" } }) },
  {
    name: "delete",
    given: pro,
    act: (cluster, namespace) =>
      callApi(cluster.controlPlane, deploymentsPath(namespace, deploymentName), { method: "DELETE" }),
  },
  {
    name: "foreground",
    given: pro,
    act: (cluster, namespace) =>
      kubectl(cluster.controlPlane, [
        ...["delete", "mimo", deploymentName, "-n", namespace, "--cascade=foreground", "--wait=false"],
      ]),
  },
];
