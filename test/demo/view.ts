/** What the demonstration shows: deployments as `kubectl get mimo` does, and below them the ranks. */
import { z } from "zod";
import { labels } from "../../charts/names.ts";
import { alignColumns } from "../../operator/cli/table.ts";

const metadata = z.object({
  name: z.string(),
  creationTimestamp: z.coerce.date(),
  labels: z.record(z.string(), z.string()).default({}),
});

const conditions = z
  .array(
    z.object({
      type: z.string(),
      status: z.string(),
      reason: z.string().default(""),
      message: z.string().default(""),
    }),
  )
  .default([]);

const deployment = z.object({
  kind: z.literal("MiMoDeployment"),
  metadata,
  spec: z.object({ variant: z.string(), hardware: z.string(), replicas: z.number() }),
  status: z
    .object({ readyReplicas: z.number().default(0), conditions })
    .default({ readyReplicas: 0, conditions: [] }),
});

const pod = z.object({
  kind: z.literal("Pod"),
  metadata,
  spec: z.object({ nodeName: z.string().default(""), schedulingGates: z.array(z.unknown()).default([]) }),
  status: z.object({
    phase: z.string().default("Pending"),
    conditions,
    containerStatuses: z
      .array(
        z.object({ state: z.object({ waiting: z.object({ reason: z.string() }).optional() }).default({}) }),
      )
      .default([]),
  }),
});

const listing = z.object({ items: z.array(z.discriminatedUnion("kind", [deployment, pod])) });

export type Deployment = z.output<typeof deployment>;
export type Pod = z.output<typeof pod>;
export interface View {
  readonly deployments: readonly Deployment[];
  readonly pods: readonly Pod[];
}

/** @param json what `kubectl get mimodeployments,pods -o json` prints */
export function parseView(json: string): View {
  const { items } = listing.parse(JSON.parse(json));
  return {
    deployments: items.filter((item) => item.kind === "MiMoDeployment"),
    pods: items.filter((item) => item.kind === "Pod"),
  };
}

export const isReady = ({ status }: Deployment): boolean => ready(status.conditions)?.status === "True";

/** Why each deployment that isn't Ready isn't, in the operator's words. */
export function unreadyReasons({ deployments }: View): string[] {
  return deployments
    .filter((item) => !isReady(item))
    .map(({ metadata: { name }, status }) => {
      const { reason, message } = ready(status.conditions) ?? {};
      return `${name}: ${reason ?? "the operator has not reported on it"}${message ? `: ${message}` : ""}`;
    });
}

/** @param now for the age; undefined leaves that column out, so that equal states give equal lines */
export function viewLines({ deployments, pods }: View, now: Date | undefined): string[] {
  const age = (item: Deployment): string[] =>
    now === undefined ? [] : [ageOf(item.metadata.creationTimestamp, now)];
  return [
    ...alignColumns([
      ["NAME", "VARIANT", "HARDWARE", "REPLICAS", "READY", "STATUS", ...(now === undefined ? [] : ["AGE"])],
      ...deployments.map((item) => [
        item.metadata.name,
        item.spec.variant,
        item.spec.hardware,
        String(item.spec.replicas),
        String(item.status.readyReplicas),
        ready(item.status.conditions)?.reason ?? "",
        ...age(item),
      ]),
    ]),
    "",
    ...alignColumns([
      ["POD", "DEPLOYMENT", "NODE", "STATUS"],
      ...pods.map((item) => [
        item.metadata.name,
        item.metadata.labels[labels.deployment] ?? "",
        item.spec.nodeName || "-",
        podState(item),
      ]),
    ]),
  ];
}

function podState({ spec, status }: Pod): string {
  if (spec.schedulingGates.length > 0) return "waits for its group";
  if (spec.nodeName === "") return "waits for a node";
  if (status.phase === "Running") return ready(status.conditions)?.status === "True" ? "Ready" : "loads";
  return status.containerStatuses[0]?.state.waiting?.reason ?? status.phase;
}

const ready = (all: z.output<typeof conditions>) => all.find(({ type }) => type === "Ready");

function ageOf(since: Date, now: Date): string {
  const seconds = Math.max(0, Math.round((now.getTime() - since.getTime()) / 1000));
  return seconds < 120 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
