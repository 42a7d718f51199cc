import type {
  V1Affinity,
  V1Container,
  V1EnvVar,
  V1PodSecurityContext,
  V1PodSpec,
  V1Probe,
  V1Toleration,
} from "@kubernetes/client-node";
import type { Toleration } from "../crds/schema.ts";
import type { NvlinkPlan, ServingPlan } from "../synth/serving-plan.ts";
import {
  channelClaim,
  commonLabels,
  httpPortName,
  labels,
  schedulingGate,
  serverContainer,
} from "./names.ts";
import { queueLabels } from "./queue.ts";
import { rendezvousEnv } from "./rendezvous.ts";
import { volumeMounts, volumes } from "./volumes.ts";

/** Template of every rank of every group of a revision. It names no group, so that groups come and go without a new revision. */
export interface PodTemplate {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: V1PodSpec;
}

/** The longest that a stopping server may finish its requests. SGLang waits for them without a bound of its own. */
const drainSeconds = 600;
/** Endpoints and gateways forget a stopping pod within seconds; until then the server must go on accepting. */
const withdrawalSeconds = 10;
/** A server that failed its probe finishes nothing any more. */
const failedServerSeconds = 30;

/** Labels of the user come first: they can't displace those that selectors use. */
export function podTemplate(plan: ServingPlan, revision: string): PodTemplate {
  return {
    metadata: {
      labels: {
        ...plan.podLabels,
        ...queueLabels(plan),
        ...commonLabels(plan.name),
        [labels.component]: "rank",
        [labels.revision]: revision,
      },
      ...(Object.keys(plan.podAnnotations).length > 0 && { annotations: { ...plan.podAnnotations } }),
    },
    spec: podSpec(plan),
  };
}

function podSpec(plan: ServingPlan): V1PodSpec {
  const { image, placement } = plan;
  return {
    ...(plan.nodes > 1 && { schedulingGates: [{ name: schedulingGate }] }),
    ...(placement.schedulerName !== undefined && { schedulerName: placement.schedulerName }),
    ...(placement.priorityClassName !== undefined && { priorityClassName: placement.priorityClassName }),
    ...(placement.runtimeClassName !== undefined && { runtimeClassName: placement.runtimeClassName }),
    // Without the second, pods of the node's network would ask the node's DNS servers, which know no Services.
    ...(plan.hostPort !== undefined && { hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" }),
    ...(plan.nvlink !== undefined && { affinity: sameDomain(plan.nvlink) }),
    // No anti-affinity: ranks of a multi-node group take all GPUs of a node, so no two fit on one.
    nodeSelector: { ...placement.nodeSelector },
    tolerations: placement.tolerations.map(taintToleration),
    ...(image.pullSecrets.length > 0 && { imagePullSecrets: image.pullSecrets.map((name) => ({ name })) }),
    automountServiceAccountToken: false,
    // Otherwise every Service of the namespace adds variables, and one named "sglang" would add SGLANG_PORT.
    enableServiceLinks: false,
    securityContext: { ...user(image.runAsUser), seccompProfile: { type: "RuntimeDefault" } },
    terminationGracePeriodSeconds: drainSeconds,
    containers: [server(plan)],
    volumes: volumes(plan),
  };
}

/** SGLang's images run as root and keep kernels in /root: only images that a platform made otherwise start as somebody else. */
function user(uid: number | undefined): V1PodSecurityContext {
  if (uid === undefined) return {};
  return {
    runAsNonRoot: true,
    runAsUser: uid,
    // A claim for compile caches may be root's. Without the policy each start would go through all of it.
    fsGroup: uid,
    fsGroupChangePolicy: "OnRootMismatch",
  };
}

/** Holds where the operator can't choose the NVLink domain itself: NVLink doesn't reach from one to the next. */
function sameDomain({ domainLabel }: NvlinkPlan): V1Affinity {
  return {
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        {
          topologyKey: domainLabel,
          // Made whole by the pod's own values: the ranks of its group.
          matchLabelKeys: [labels.deployment, labels.group],
          labelSelector: {},
        },
      ],
    },
  };
}

function server(plan: ServingPlan): V1Container {
  const { hostPort } = plan;
  return {
    name: serverContainer,
    image: plan.image.reference,
    imagePullPolicy: plan.image.pullPolicy,
    // Without a shell: the server is PID 1 and gets SIGTERM itself.
    command: [...plan.command],
    env: environment(plan),
    ports: [
      // As a host port the scheduler keeps every other pod that wants it off the node.
      {
        name: httpPortName,
        containerPort: hostPort ?? plan.port,
        protocol: "TCP",
        ...(hostPort !== undefined && { hostPort }),
      },
    ],
    resources: resourceRequirements(plan),
    securityContext: {
      allowPrivilegeEscalation: false,
      // RDMA registers memory with the adapter, which locks it.
      capabilities: { drop: ["ALL"], ...(plan.resources.devices !== undefined && { add: ["IPC_LOCK"] }) },
    },
    volumeMounts: volumeMounts(plan),
    ...probes(plan),
    // The kubelet's own sleep (default since Kubernetes 1.30): no shell or binary of the image is needed.
    lifecycle: { preStop: { sleep: { seconds: withdrawalSeconds } } },
    terminationMessagePolicy: "FallbackToLogsOnError",
  };
}

/** Sorted by name, since a stored plan may come back with its keys in another order. */
function environment(plan: ServingPlan): V1EnvVar[] {
  const plain = Object.entries(plan.env).map(([name, value]): V1EnvVar => ({ name, value }));
  const secret = plan.secretEnv.map(
    ({ name, secret, key }): V1EnvVar => ({ name, valueFrom: { secretKeyRef: { name: secret, key } } }),
  );
  const sorted = [...plain, ...secret].sort((a, b) => (a.name < b.name ? -1 : 1));
  return [...rendezvousEnv(plan), ...sorted];
}

function resourceRequirements({
  gpusPerNode,
  resources,
  nvlink,
}: ServingPlan): NonNullable<V1Container["resources"]> {
  const devices = { "nvidia.com/gpu": String(gpusPerNode), ...resources.devices };
  const memory = `${resources.memoryGib}Gi`;
  return {
    requests: {
      ...devices,
      // No limit: throttling the scheduler or an NCCL proxy thread stalls every GPU of the group.
      cpu: String(resources.cpu),
      memory,
      // No limit: the volumes have their own, and evicting a loaded server for its logs would cost the whole download.
      ...(resources.ephemeralStorageGib !== undefined && {
        "ephemeral-storage": `${resources.ephemeralStorageGib}Gi`,
      }),
    },
    limits: { ...devices, memory },
    ...(nvlink !== undefined && { claims: [{ name: channelClaim }] }),
  };
}

/**
 * One template serves all ranks. Rank 0 opens its port when weights and graphs are loaded, and its /health runs a real
 * generation that gives up after 20 s. The other ranks answer 200 from a dummy on the same port as soon as they run: their
 * liveness never fails, and it is rank 0 that notices when they hang.
 */
function probes({ startupSeconds }: ServingPlan): {
  startupProbe: V1Probe;
  readinessProbe: V1Probe;
  livenessProbe: V1Probe;
} {
  const httpGet = { path: "/health", port: httpPortName, scheme: "HTTP" };
  const timeoutSeconds = 25;
  const startupPeriodSeconds = 10;
  return {
    startupProbe: {
      httpGet,
      timeoutSeconds,
      periodSeconds: startupPeriodSeconds,
      failureThreshold: Math.ceil(startupSeconds / startupPeriodSeconds),
      terminationGracePeriodSeconds: failedServerSeconds,
    },
    readinessProbe: { httpGet, timeoutSeconds, periodSeconds: 10, failureThreshold: 3 },
    // Ten minutes from the first failure to the last: a long prefill answers 503, and a restart loads everything again.
    livenessProbe: {
      httpGet,
      timeoutSeconds,
      periodSeconds: 60,
      failureThreshold: 11,
      terminationGracePeriodSeconds: failedServerSeconds,
    },
  };
}

function taintToleration({ key, operator, value, effect, tolerationSeconds }: Toleration): V1Toleration {
  return {
    ...(key !== undefined && { key }),
    ...(operator !== undefined && { operator }),
    ...(value !== undefined && { value }),
    ...(effect !== undefined && { effect }),
    ...(tolerationSeconds !== undefined && { tolerationSeconds }),
  };
}
