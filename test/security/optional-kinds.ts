import { stringify } from "yaml";
import { resources } from "../../charts/resources.ts";
import type { Administrator } from "../controlplane/boot.ts";
import { installDocuments } from "../controlplane/install.ts";

/** Kinds of queues that clusters may have. Kubernetes' own gangs come with a feature gate. */
const kinds = [resources.volcanoPodGroups, resources.coschedulingPodGroups, resources.kueueWorkloads];

/** Definitions of them that take everything: nothing but permissions is looked at here. */
const definitions = kinds.map(({ group, version, plural, kind }) => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: {
    name: `${plural}.${group}`,
    annotations: { "api-approved.kubernetes.io": "https://github.com/kubernetes/enhancements" },
  },
  spec: {
    group,
    scope: "Namespaced",
    names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
}));

export async function installOptionalKinds(administrator: Administrator): Promise<void> {
  await installDocuments(administrator, definitions.map((definition) => stringify(definition)).join("---\n"));
}
