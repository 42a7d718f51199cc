import { z } from "zod";
import type { Pod } from "./objects.ts";

/**
 * Which pods of a multi-node group belong together, and the port they meet at. Written on the StatefulSet before the first
 * gate opens, so that a new leader can complete what a crashed one began.
 */
export const formationRecord = z.object({
  id: z.int().min(1),
  port: z.int(),
  revision: z.string(),
  /** Pod name to UID. */
  pods: z.record(z.string(), z.string()),
  /** NVLink domain that all ranks are to be in; absent where any nodes will do. */
  domain: z.string().exactOptional(),
  /** When it was put on record, in milliseconds since the epoch. Formations of earlier versions lack it. */
  at: z.int().exactOptional(),
});
export type Formation = z.output<typeof formationRecord>;

/** First port of the formations. With 40 ports each, 250 of them end below SGLang's default HTTP port 30000. */
const firstPort = 20_000;
const portStep = 40;
const portCount = 250;

/**
 * A rank that comes late must not join the next formation, so neighbours in time have ports apart. SGLang binds up to
 * port + 13 + DP ranks on rank 0 (DP attention), hence the step.
 */
export const formationPort = (id: number): number => firstPort + ((id - 1) % portCount) * portStep;

export const newFormation = (id: number, revision: string, pods: readonly Pod[]): Formation => ({
  id,
  port: formationPort(id),
  revision,
  pods: Object.fromEntries(pods.map((pod) => [pod.metadata.name, pod.metadata.uid])),
});

/** Weight of keeping off a node, the highest there is: other nodes first, this one before none. */
const avoidance = 100;

/** What the scheduler has to know of a formation's place. */
export interface Pin {
  /** Label and value of the NVLink domain; undefined where any nodes will do. */
  readonly domain: readonly [label: string, value: string] | undefined;
  /** Hosts that the ranks can't run on though their selector matches. */
  readonly barredHosts: readonly string[];
  /** Nodes to take only where there are no others. */
  readonly avoidedNodes: readonly string[];
}

/** JSON patch that lets one pod join: it says where to run and to meet and takes the gate away, on exactly this pod. */
export function openGatePatch(
  pod: Pod,
  annotations: Readonly<Record<string, string>>,
  pin: Pin,
): readonly object[] {
  const write =
    pod.metadata.annotations === undefined
      ? [
          // Adds the whole map: somebody else's first annotation, written since this look, must not be lost.
          { op: "test", path: "/metadata/annotations", value: null },
          { op: "add", path: "/metadata/annotations", value: annotations },
        ]
      : Object.entries(annotations).map(([key, value]) => ({
          op: "add",
          path: `/metadata/annotations/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`,
          value,
        }));
  const nodeAffinity = affinityOf(pin);
  const affinity =
    pod.spec.affinity === undefined
      ? { op: "add", path: "/spec/affinity", value: { nodeAffinity } }
      : { op: "add", path: "/spec/affinity/nodeAffinity", value: nodeAffinity };
  return [
    { op: "test", path: "/metadata/uid", value: pod.metadata.uid },
    ...write,
    ...(Object.keys(nodeAffinity).length === 0 ? [] : [affinity]),
    { op: "remove", path: "/spec/schedulingGates" },
  ];
}

function affinityOf({ domain, barredHosts, avoidedNodes }: Pin): object {
  const host = "kubernetes.io/hostname";
  const off = (values: readonly string[]) => ({ key: host, operator: "NotIn", values });
  const required = [
    ...(domain === undefined ? [] : [{ key: domain[0], operator: "In", values: [domain[1]] }]),
    ...(barredHosts.length === 0 ? [] : [off(barredHosts)]),
  ];
  return {
    ...(required.length > 0 && {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: required }],
      },
    }),
    ...(avoidedNodes.length > 0 && {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: avoidance, preference: { matchExpressions: [off(avoidedNodes)] } },
      ],
    }),
  };
}
