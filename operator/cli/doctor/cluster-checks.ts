import { customResourceDefinitions } from "../../../charts/crds.ts";
import { apiVersionOf } from "../../../charts/kubernetes.ts";
import { operatorName } from "../../../charts/rbac.ts";
import { resources } from "../../../charts/resources.ts";
import { platformName } from "../../../crds/names.ts";
import { type PlatformSpec, platformSpec } from "../../../crds/platform.ts";
import { firstDifference } from "../../deployment/difference.ts";
import { isShared } from "../../deployment/need.ts";
import { type Check, count, failed, isAtLeast, judge, list, ok, warning } from "./check.ts";
import { type Facts, type GpuNode, gpusOf, labelOf } from "./facts.ts";

const product = "nvidia.com/gpu.product";
/** Scheduling gates, and the kubelet's own sleep before a stop. */
const leastKubernetes = [1, 30] as const;

/** What every deployment needs of the cluster, and what its people should know. */
export function clusterChecks(facts: Facts): Check[] {
  return [
    judge("Kubernetes", facts.version, kubernetes),
    judge("CRDs", facts.definitions, definitions),
    judge("Operator", facts.operators, operator),
    judge("MiMoPlatform", facts.platform, platform),
    ...queue(facts),
    ...storage(facts),
    ...nodes(facts),
  ];
}

/** The platform as planning takes it; undefined when there is none, or none that can be read. */
export function usablePlatform({ platform }: Facts): PlatformSpec | undefined {
  return platform.known ? platformSpec.safeParse(platform.value).data : undefined;
}

function kubernetes(version: string): Check {
  return isAtLeast(version, leastKubernetes) === false
    ? failed(
        "Kubernetes",
        `${version}: scheduling gates and the kubelet's sleep before a stop are not there yet`,
        `upgrade to ${leastKubernetes.join(".")} or newer`,
      )
    : ok("Kubernetes", version);
}

const install = "mimo install --image IMAGE | kubectl apply --server-side -f -";

function definitions(found: Extract<Facts["definitions"], { known: true }>["value"]): Check {
  const states = customResourceDefinitions().map(({ metadata: { name }, spec }) => {
    const live = found.find(({ metadata }) => metadata.name === name);
    if (live === undefined) return `${name} is missing`;
    return firstDifference(live.spec, spec) === undefined
      ? ""
      : `${name} is of another version than this command`;
  });
  const wrong = states.filter((state) => state !== "");
  return wrong.length === 0
    ? ok("CRDs", "as this version writes them")
    : failed("CRDs", wrong.join(", "), "mimo crds | kubectl apply --server-side -f -");
}

function operator(programs: Extract<Facts["operators"], { known: true }>["value"]): Check {
  const [found, second] = programs;
  if (found === undefined) return failed("Operator", `no Deployment ${operatorName}`, install);
  const { namespace, image, ready, wanted } = found;
  const where = `${image} in namespace ${namespace}, ${ready} of ${wanted} pods Ready`;
  if (second !== undefined) {
    const all = programs.map((each) => each.namespace).join(", ");
    return failed(
      "Operator",
      `in several namespaces: ${all}; they would work against each other`,
      "keep one",
    );
  }
  return ready > 0
    ? ok("Operator", where)
    : failed("Operator", where, `kubectl -n ${namespace} describe pods, and read its log`);
}

function platform(spec: unknown): Check {
  if (spec === undefined) {
    return warning(
      "MiMoPlatform",
      "none: checkpoints are downloaded at every start, kernels compiled, nodes found by NVIDIA's labels",
      "write one: docs/platform.md",
    );
  }
  const parsed = platformSpec.safeParse(spec);
  if (parsed.success) return ok("MiMoPlatform", platformName);
  const [issue] = parsed.error.issues;
  const where = ["spec", ...(issue?.path.map(String) ?? [])].join(".");
  return failed(
    "MiMoPlatform",
    `${where}: ${issue?.message}`,
    "correct it, or bring CRDs and operator to one version",
  );
}

function queue(facts: Facts): Check[] {
  const system = usablePlatform(facts)?.queue?.system;
  const resource = {
    Kueue: resources.kueueWorkloads,
    Volcano: resources.volcanoPodGroups,
    SchedulerPlugins: resources.coschedulingPodGroups,
    Native: resources.nativePodGroups,
    KAI: undefined,
  }[system ?? "KAI"];
  if (system === undefined || resource === undefined) return [];
  const wanted = `${resource.plural} of ${apiVersionOf(resource)}`;
  return [
    judge("Queue", facts.served, (served) =>
      served.includes(wanted)
        ? ok("Queue", `${system}, which serves ${wanted}`)
        : failed(
            "Queue",
            `${system}: ${wanted} are not served`,
            `install ${system}, or take queue out of MiMoPlatform`,
          ),
    ),
  ];
}

function storage(facts: Facts): Check[] {
  const store = usablePlatform(facts)?.modelStore;
  const claim = store?.persistentVolumeClaim?.claimName;
  const classes = judge("Storage class", facts.storageClasses, (found) => {
    const byDefault = found.find(({ isDefault }) => isDefault);
    if (byDefault !== undefined) return ok("Storage class", `${byDefault.name} is the default`);
    const others =
      found.length === 0 ? "none" : `no default; there are ${list(found.map(({ name }) => name))}`;
    return warning(
      "Storage class",
      others,
      "name one in each PersistentVolumeClaim, or make one the default",
    );
  });
  if (claim === undefined) {
    if (store?.hostPath === undefined) return [classes];
    return [
      classes,
      ok("Model store", `folder ${store.hostPath.path} of the nodes, which can't be looked into from here`),
    ];
  }
  const { namespace } = facts;
  return [
    classes,
    judge("Model store", facts.storeClaim, (phase) =>
      phase === "Bound"
        ? ok("Model store", `claim ${claim} of namespace ${namespace} is bound`)
        : failed(
            "Model store",
            phase === undefined
              ? `no claim ${claim} in namespace ${namespace}`
              : `claim ${claim} of namespace ${namespace} is ${phase}`,
            "each namespace with deployments needs that claim, bound to the volume with the checkpoints (-n names another)",
          ),
    ),
  ];
}

function nodes({ nodes: fact }: Facts): Check[] {
  if (!fact.known) return [{ about: "GPU nodes", verdict: "unknown", found: fact.why }];
  const offering = fact.value.filter((node) => gpusOf(node) > 0);
  const unlabelled = offering.filter((node) => !labelOf(node, product));
  const silent = fact.value.filter((node) => gpusOf(node) === 0);
  const shared = fact.value.filter(isShared);
  return [
    offering.length === 0
      ? failed(
          "GPU nodes",
          "none offers nvidia.com/gpu",
          "add GPU nodes, with NVIDIA's GPU operator or device plugin",
        )
      : ok("GPU nodes", kinds(offering)),
    ...(unlabelled.length === 0
      ? []
      : [
          warning(
            "GPU labels",
            `${count(unlabelled.length, "node")} without ${product}: ${namesOf(unlabelled)}`,
            "install GPU feature discovery, or set MiMoPlatform hardware[].nodeSelector",
          ),
        ]),
    ...(silent.length === 0
      ? []
      : [
          warning(
            "Device plugin",
            `${count(silent.length, "node")} with GPUs that offer no nvidia.com/gpu: ${namesOf(silent)}`,
            "look at NVIDIA's device plugin on them; GPUs that come by DRA alone are not used",
          ),
        ]),
    ...(shared.length === 0
      ? []
      : [
          warning(
            "Whole GPUs",
            `${count(shared.length, "node")} with GPUs that are shared or cut up (time slicing, MIG): ${namesOf(shared)}`,
            "turn it off on nodes that are to serve; the others are left alone",
          ),
        ]),
  ];
}

function kinds(found: readonly GpuNode[]): string {
  const byProduct = Map.groupBy(found, (node) => labelOf(node, product) || "unlabelled");
  return [...byProduct]
    .map(([name, members]) => `${members.length} ${name}`)
    .sort()
    .join(", ");
}

const namesOf = (found: readonly GpuNode[]): string =>
  list(found.map(({ metadata }) => metadata.name).sort());
