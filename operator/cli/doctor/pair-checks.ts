import { apiVersionOf } from "../../../charts/kubernetes.ts";
import { podTemplate } from "../../../charts/pod.ts";
import { resources } from "../../../charts/resources.ts";
import { deploymentSpec } from "../../../crds/deployment.ts";
import type { Hardware, Variant } from "../../../crds/names.ts";
import { planDeployment } from "../../../synth/plan.ts";
import type { ServingPlan } from "../../../synth/serving-plan.ts";
import { driverOf, isMatching, type Need, needOf } from "../../deployment/need.ts";
import { holdsGpus, type Pod } from "../../deployment/objects.ts";
import { type Capacity, findPlace, type Held } from "../../deployment/placement.ts";
import { shortageProblem } from "../../deployment/shortage.ts";
import { type Check, count, failed, isAtLeast, judge, list, ok, warning } from "./check.ts";
import { usablePlatform } from "./cluster-checks.ts";
import type { Facts, GpuNode } from "./facts.ts";

/** Since then pods may claim devices, which is how an IMEX channel comes to them. */
const leastForClaims = [1, 34] as const;

/** Whether one serving group of a pair, as planned by default, finds what it needs. */
export function pairChecks(variant: Variant, hardware: Hardware, facts: Facts): Check[] {
  const spec = deploymentSpec.parse({ variant, hardware });
  const request = { name: "doctor", namespace: facts.namespace, spec };
  const result = planDeployment(request, usablePlatform(facts));
  if (!result.accepted) {
    const found = result.refusals.map(({ message }) => message).join("; ");
    return [failed("Plan", found, "mimo plan says the same of a file, with the platform's")];
  }
  const { plan } = result;
  const need = needOf(plan);
  const size = `${count(plan.nodes, "node")} × ${count(plan.gpusPerNode, "GPU")}`;
  const planned = ok("Plan", `${size}, ${plan.image.reference}`);
  if (facts.nodes.known && matching(need, facts.nodes.value).length === 0) {
    const labels = Object.entries(need.nodeSelector).map(([label, value]) => `${label}=${value}`);
    const fix = "add such nodes, or tell MiMoPlatform hardware[].nodeSelector how yours are labelled";
    return [planned, failed("Nodes", `no node has ${labels.join(", ")}`, fix)];
  }
  return [
    planned,
    ...driver(need, facts),
    ...devices(plan, need, facts),
    ...imex(plan, facts),
    places(need, facts),
  ];
}

function places(need: Need, { nodes, pods }: Facts): Check {
  return judge("Free nodes", nodes, (all) =>
    judge("Free nodes", pods, (holders) => {
      const capacity: Capacity = { nodes: all, held: heldBy(holders), reservations: [] };
      const place = findPlace(need, capacity, { nodes: [] });
      if (!place.fits) {
        const { reason, message } = shortageProblem(need, place.shortage, capacity, { nodes: [] });
        return failed("Free nodes", message, remedies[reason] ?? "free or add nodes");
      }
      const where = place.domain === undefined ? "" : ` of NVLink domain ${place.domain}`;
      return ok("Free nodes", `${count(need.nodes, "node")}${where} can be taken now`);
    }),
  );
}

const remedies: Readonly<Record<string, string>> = {
  DriverTooOld: "update NVIDIA's driver on them",
  DomainsTooSmall: "free nodes within one NVLink domain",
};

function heldBy(pods: readonly Pod[]): ReadonlyMap<string, Held> {
  const byNode = Map.groupBy(pods.filter(holdsGpus), ({ spec }) => spec.nodeName ?? "");
  return new Map(
    [...byNode].map(([node, held]) => [
      node,
      { gpus: held.reduce((sum, { spec }) => sum + spec.gpus, 0), pods: held.length },
    ]),
  );
}

function matching(need: Need, nodes: readonly GpuNode[]): GpuNode[] {
  return nodes.filter((node) => isMatching(need, node));
}

/** What there is; that it is too old, placement says of the nodes. */
function driver(need: Need, { nodes }: Facts): Check[] {
  const { leastDriver } = need;
  if (leastDriver === undefined || !nodes.known) return [];
  const found = matching(need, nodes.value);
  if (found.length === 0) return [];
  const told = [...new Set(found.flatMap((node) => driverOf(node) ?? []))].sort();
  const asked = `the image's CUDA needs ${leastDriver} or newer`;
  return [
    told.length === 0
      ? {
          about: "Driver",
          verdict: "unknown",
          found: `no node says which it has; ${asked}`,
          fix: "install GPU feature discovery, or compare by hand",
        }
      : ok("Driver", `${list(told)}; ${asked}`),
  ];
}

/** Extended resources besides GPUs that a rank asks for: how it reaches the others. */
function devices(plan: ServingPlan, need: Need, facts: Facts): Check[] {
  const limits = podTemplate(plan, "").spec.containers[0]?.resources?.limits ?? {};
  const asked = Object.entries(limits).filter(([name]) => name.includes("/") && name !== "nvidia.com/gpu");
  if (plan.nodes === 1 || (asked.length === 0 && plan.nvlink !== undefined)) return [];
  if (asked.length === 0) {
    return [
      warning(
        "RDMA",
        `MiMoPlatform names no RDMA devices for ${plan.hardware}: ranks on different nodes talk over TCP, far slower`,
        "set hardware[].fabric, or preset, in MiMoPlatform",
      ),
    ];
  }
  const wanted = asked.map(([name, quantity]) => `${quantity} ${name}`).join(", ");
  return [
    judge("RDMA", facts.nodes, (all) => {
      const found = matching(need, all);
      const lacking = found.filter(({ offers }) =>
        asked.some(([name, quantity]) => Number(offers[name] ?? 0) < Number(quantity)),
      );
      const able = found.length - lacking.length;
      return able >= plan.nodes
        ? ok("RDMA", `${able} of ${found.length} nodes offer ${wanted}`)
        : failed(
            "RDMA",
            `a pod asks for ${wanted}; ${lacking.length} of ${count(found.length, "node")} offer less: ${list(lacking.map(({ metadata }) => metadata.name))}`,
            "look at the RDMA device plugin, or correct hardware[].fabric in MiMoPlatform",
          );
    }),
  ];
}

/** NVLink between nodes needs an IMEX channel, which NVIDIA's DRA driver makes for a ComputeDomain. */
function imex({ nvlink }: ServingPlan, { served, draDrivers, version }: Facts): Check[] {
  if (nvlink === undefined) return [];
  const install =
    "install NVIDIA's DRA driver (ComputeDomains on, GPUs off), or set hardware[].mnnvl: Off in MiMoPlatform";
  const { computeDomains } = resources;
  const wanted = `${computeDomains.plural} of ${apiVersionOf(computeDomains)}`;
  return [
    judge("Claims", version, (found) =>
      isAtLeast(found, leastForClaims) === false
        ? failed(
            "Claims",
            `Kubernetes ${found} has no stable resource claims`,
            `upgrade to ${leastForClaims.join(".")} or newer`,
          )
        : ok("Claims", `Kubernetes ${found}`),
    ),
    judge("ComputeDomains", served, (found) =>
      found.includes(wanted)
        ? ok("ComputeDomains", `the cluster serves ${wanted}`)
        : failed("ComputeDomains", `the cluster serves no ${wanted}`, install),
    ),
    judge("DRA driver", draDrivers, (found) => {
      if (found.length === 0)
        return failed("DRA driver", "no DaemonSet or Deployment runs its image", install);
      const idle = found.find(({ ready, wanted: all }) => ready < all || all === 0);
      const said = found.map(
        ({ name, image, ready, wanted: all }) => `${name} ${tagOf(image)} (${ready} of ${all} Ready)`,
      );
      return idle === undefined
        ? ok("DRA driver", said.join(", "))
        : failed("DRA driver", said.join(", "), `kubectl -n ${idle.namespace} describe pods`);
    }),
  ];
}

const tagOf = (image: string): string => image.split("@")[0]?.split(":").at(-1) ?? image;
