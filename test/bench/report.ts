import { bullets, table } from "../../charts/docs/markdown.ts";
import { alignColumns } from "../../operator/cli/table.ts";
import type { Fault } from "../controlplane/faults.ts";
import type { Trial } from "./measure.ts";
import type { RequestCounts } from "./requests.ts";

/** A trial with what its controller asked of the API server for it. */
export type CountedTrial = Trial & { readonly requests: RequestCounts };

/** What one controller did about one kind of fault. */
export interface Cell {
  readonly fault: Fault;
  /** Ranks of a group. */
  readonly size: number;
  readonly controller: string;
  readonly groups: number;
  /** Groups whole again within the limit, and for good. */
  readonly whole: number;
  /** Groups in which old and new ranks stand side by side in the end. */
  readonly split: number;
  /** Of the groups made whole, as are the figures below; null when there are none. */
  readonly medianMilliseconds: number | null;
  readonly p99Milliseconds: number | null;
  /** Groups in which each rank was replaced by one new pod, no more. */
  readonly replacedOnce: number;
  readonly podsMade: number | null;
  readonly requests: number | null;
  readonly requestsByKind: RequestCounts;
  readonly trials: readonly CountedTrial[];
}

export interface RecoveryBenchmark {
  readonly benchmark: "recovery";
  /** ISO 8601 */
  readonly date: string;
  readonly kubernetes: string;
  readonly cpus: number;
  /** Of the last minute, before and after. */
  readonly loadAverage: readonly [number, number];
  readonly limitSeconds: number;
  readonly cells: readonly Cell[];
}

/** Smallest sample that at least the given share of all samples does not exceed; null without samples. */
export function quantile(samples: readonly number[], share: number): number | null {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : sum(values) / values.length;

export function cellOf(
  { fault, size, controller }: Pick<Cell, "fault" | "size" | "controller">,
  trials: readonly CountedTrial[],
): Cell {
  const whole = trials.filter(({ milliseconds }) => milliseconds !== null);
  const samples = whole.flatMap(({ milliseconds }) => milliseconds ?? []);
  const kinds = new Set(whole.flatMap(({ requests }) => Object.keys(requests)));
  const ofKind = (kind: string): number => mean(whole.map(({ requests }) => requests[kind] ?? 0)) ?? 0;
  return {
    fault,
    size,
    controller,
    groups: trials.length,
    whole: whole.length,
    split: trials.filter(({ split }) => split).length,
    medianMilliseconds: quantile(samples, 0.5),
    p99Milliseconds: quantile(samples, 0.99),
    replacedOnce: whole.filter(({ podsMade }) => podsMade.every((count) => count === 1)).length,
    podsMade: mean(whole.map(({ podsMade }) => sum(podsMade))),
    requests: mean(whole.map(({ requests }) => sum(Object.values(requests)))),
    requestsByKind: Object.fromEntries([...kinds].sort().map((kind) => [kind, ofKind(kind)])),
    trials,
  };
}

const headings = [
  "Ranks",
  "Fault",
  "Controller",
  "Whole",
  "Split",
  "Median",
  "p99",
  "Replaced once",
  "Pods made",
  "API requests",
];

const rows = ({ cells }: RecoveryBenchmark): string[][] =>
  cells.map((cell) => [
    String(cell.size),
    cell.fault,
    cell.controller,
    `${cell.whole} of ${cell.groups}`,
    String(cell.split),
    milliseconds(cell.medianMilliseconds),
    milliseconds(cell.p99Milliseconds),
    `${cell.replacedOnce} of ${cell.whole}`,
    decimal(cell.podsMade),
    decimal(cell.requests),
  ]);

const milliseconds = (value: number | null): string => (value === null ? "never" : `${value} ms`);
const decimal = (value: number | null): string => value?.toFixed(1) ?? "none";

/** For a terminal: a row for each controller and fault, then the groups that were not made whole. */
export function text(result: RecoveryBenchmark): string {
  const lost = result.cells.flatMap(({ controller, size, fault, trials }) =>
    trials
      .filter(({ milliseconds }) => milliseconds === null)
      .map(({ rank, remains }) => `${controller}, ${fault} of rank ${rank} of ${size}: ${remains}`),
  );
  const after = lost.length === 0 ? [] : ["", "Not made whole, and what stands there:", ...lost];
  return [...alignColumns([headings, ...rows(result)]), ...after].join("\n");
}

/** What LeaderWorkerSet and this operator were asked for each kind of request, of the groups made whole. */
function requestRows({ cells }: RecoveryBenchmark): string[][] {
  return cells.map(({ size, fault, controller, requestsByKind }) => [
    String(size),
    fault,
    controller,
    Object.entries(requestsByKind)
      .sort(([, a], [, b]) => b - a)
      .map(([kind, count]) => `${count.toFixed(1)} ${kind}`)
      .join(", "),
  ]);
}

/** The section in docs/performance.md. */
export function section(result: RecoveryBenchmark): string {
  const [before, after] = result.loadAverage;
  const { cpus, kubernetes, limitSeconds, date } = result;
  const groups = Math.max(...result.cells.map((cell) => cell.groups));
  return [
    "## Recovery of a group",
    "One rank of a group is lost. How long until the group is whole again, and is it every time? This operator and LeaderWorkerSet's `RecreateGroupOnPodRestart` on the same control plane, in one run. **No GPUs were involved and no weights were loaded**: kwok plays the nodes, so a pod is Ready as soon as it is bound, and gone as soon as it is deleted. What is left is the time that controllers take. On real hardware stopping and loading come on top, for both. Absolute times move with the machine; compare within a pair of rows.",
    table(headings, rows(result)),
    bullets([
      `**Whole**: all ranks Ready, of one revision and none of the old pods left, within ${limitSeconds} s and for good.`,
      "**Split**: ranks of before and new ones stood side by side at the end. They can't work together: SGLang's ranks meet once.",
      `**Median**, **p99**: from the fault to a whole group. Of ${groups} groups p99 is the slowest.`,
      "**Replaced once**: each rank of the failed formation got one new pod, of the same revision, and that one stayed. **Pods made** is the mean for a group; more than its ranks means that replacements were thrown away: by LeaderWorkerSet, or by kwok, which deletes a stopped pod a second time by its name alone and so takes a fresh one with it now and then. This operator deletes by UID, an old pod once; the table below has its count.",
      "**API requests**: by the controller itself for one group made whole, from the audit log: reads, writes, Events, all but watches. What Kubernetes' own controllers do comes on top.",
    ]),
    "### What was asked of the API server",
    table(["Ranks", "Fault", "Controller", "Requests for one group"], requestRows(result)),
    "### How recovery was measured",
    bullets([
      `${date.slice(0, 10)}, ${kubernetes}, ${cpus} CPUs for everything: etcd (without fsync), kube-apiserver with its audit log, kube-controller-manager, kube-scheduler, kwok, both controllers and the program that measures. Load average ${before.toFixed(1)} before, ${after.toFixed(1)} after.`,
      `For each row ${groups} new groups, one object each (a MiMoDeployment or a LeaderWorkerSet of one replica). They are hit one after the other, the two controllers in turn, every rank equally often. A group is hit once. So these are first losses: the operator's default policy rebuilds at once after the first loss, and waits 10 s (± 20 %), then longer, when the same group loses ranks again within the hour. LeaderWorkerSet never waits.`,
      "Faults: the pod is deleted through the API; its status becomes Failed (Evicted); its container restarts (exit code 137, restart count 1). The status is written where a kubelet would write it.",
      "LeaderWorkerSet is built from its Go module and runs as it comes, with its own roles and webhooks; leader election is off. Its pods are this operator's, without the scheduling gate. This operator runs as its own ServiceAccount with its defaults, leader election on (its Lease is not counted).",
      "A deleted pod has its whole grace. After a deletion this operator lets rank 0 finish its requests before the others stop, LeaderWorkerSet stops the leader and the others follow. With kwok neither takes time.",
      "The catalogue has no group of 8 nodes. There a frozen plan, in which only `nodes` was changed to 8, is stored as a ControllerRevision before its MiMoDeployment. Groups always run from their frozen plan, so everything from there on is the operator as it is.",
    ]),
  ].join("\n\n");
}
