import { z } from "zod";
import { type ApiResource, apiVersionOf, type KubeObject } from "../../../charts/kubernetes.ts";
import { operatorName } from "../../../charts/rbac.ts";
import { resources } from "../../../charts/resources.ts";
import { apiGroup, platformName } from "../../../crds/names.ts";
import { platformSpec } from "../../../crds/platform.ts";
import { podView } from "../../deployment/objects.ts";
import type { Client } from "../../runtime/client-api.ts";
import { ApiError, isNotFound } from "../../runtime/errors.ts";
import { listAll } from "../../runtime/list-all.ts";
import type { Cluster } from "../cluster-access.ts";
import {
  daemonSetProgram,
  deploymentProgram,
  type Facts,
  gpuNode,
  hasGpus,
  type Known,
  type Program,
  readStorageClass,
} from "./facts.ts";

const clusterScoped = (group: string, version: string, plural: string, kind: string): ApiResource => ({
  group,
  version,
  plural,
  kind,
  namespaced: false,
});
/** What only this command reads. */
const definitions = clusterScoped(
  "apiextensions.k8s.io",
  "v1",
  "customresourcedefinitions",
  "CustomResourceDefinition",
);
const storageClasses = clusterScoped("storage.k8s.io", "v1", "storageclasses", "StorageClass");
const deployments: ApiResource = {
  group: "apps",
  version: "v1",
  plural: "deployments",
  kind: "Deployment",
  namespaced: true,
};
const daemonSets: ApiResource = { ...deployments, plural: "daemonsets", kind: "DaemonSet" };
const claims: ApiResource = {
  group: "",
  version: "v1",
  plural: "persistentvolumeclaims",
  kind: "PersistentVolumeClaim",
  namespaced: true,
};

/** APIs that a pair or the platform may need. */
const optionalApis = [
  resources.computeDomains,
  resources.kueueWorkloads,
  resources.volcanoPodGroups,
  resources.coschedulingPodGroups,
  resources.nativePodGroups,
] as const;

const definition = z.object({
  metadata: z.object({ name: z.string(), annotations: z.record(z.string(), z.string()).default({}) }),
  spec: z.looseObject({}),
});

/** Everything at once. What the user may not see is left unknown. */
export async function readFacts({ client, namespace }: Cluster): Promise<Facts> {
  const all = <T>(
    resource: ApiResource,
    read: (object: KubeObject) => T,
    labelSelector?: string,
  ): Promise<T[]> =>
    listAll(client, resource, { read, labelSelector, signal: AbortSignal.timeout(120_000) }).then(
      ({ items }) => items,
    );
  const platform = known(() => platformOf(client));
  const [version, nodes, pods, found, operators, drivers, classes, storeClaim, served] = await Promise.all([
    known(() => client.version()),
    known(async () => (await all(resources.nodes, (node) => gpuNode.parse(node))).filter(hasGpus)),
    known(() => all(resources.pods, (pod) => podView.parse(pod))),
    known(async () =>
      (await all(definitions, (object) => definition.parse(object))).filter(({ metadata }) =>
        metadata.name.endsWith(`.${apiGroup}`),
      ),
    ),
    known(() => all(deployments, deploymentProgram, `app.kubernetes.io/name=${operatorName}`)),
    known(async () =>
      [...(await all(daemonSets, daemonSetProgram)), ...(await all(deployments, deploymentProgram))].filter(
        isDraDriver,
      ),
    ),
    known(() => all(storageClasses, readStorageClass)),
    known(async () => claimPhase(client, namespace, await platform)),
    known(() => servedOf(client)),
  ]);
  return {
    version,
    nodes,
    pods,
    definitions: found,
    operators,
    platform: await platform,
    storageClasses: classes,
    storeClaim,
    namespace,
    served,
    draDrivers: drivers,
  };
}

/** What the API server refuses to tell is unknown; that it gives no answer is an error of the command. */
async function known<T>(read: () => Promise<T>): Promise<Known<T>> {
  try {
    return { known: true, value: await read() };
  } catch (error) {
    if (error instanceof z.ZodError)
      return { known: false, why: `can't be read: ${error.issues[0]?.message}` };
    if (!(error instanceof ApiError) || error.code === 401) throw error;
    return {
      known: false,
      why: error.code === 403 ? `these credentials may not see it (${error.message})` : error.message,
    };
  }
}

async function platformOf(client: Client): Promise<unknown> {
  try {
    const found = await client.get<KubeObject & { readonly spec?: unknown }>(resources.mimoPlatforms, {
      name: platformName,
    });
    return found.spec ?? {};
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

const claim = z.object({ status: z.object({ phase: z.string() }) });

async function claimPhase(
  client: Client,
  namespace: string,
  platform: Known<unknown>,
): Promise<string | undefined> {
  const spec = platform.known ? platformSpec.safeParse(platform.value).data : undefined;
  const name = spec?.modelStore?.persistentVolumeClaim?.claimName;
  if (name === undefined) return undefined;
  try {
    return claim.parse(await client.get(claims, { namespace, name })).status.phase;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function servedOf(client: Client): Promise<string[]> {
  const found = await Promise.all(
    optionalApis.map(async (resource) => {
      const plurals = await client.discover(apiVersionOf(resource));
      return plurals.has(resource.plural) ? [`${resource.plural} of ${apiVersionOf(resource)}`] : [];
    }),
  );
  return found.flat();
}

/** By its image: charts and registries name its objects as they like. */
const isDraDriver = ({ image }: Program): boolean =>
  /\/(k8s-dra-driver-gpu|dra-driver-nvidia-gpu)[:@]/.test(image);
