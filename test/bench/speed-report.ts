import { bullets, table } from "../../charts/docs/markdown.ts";
import { alignColumns } from "../../operator/cli/table.ts";
import type { AuditRecord } from "../controlplane/audit.ts";
import type { Creation, Pace } from "./creation.ts";
import type { GroupSystem } from "./group-system.ts";
import { groupsPerNamespace } from "./namespaces.ts";
import { countByKind, type RequestCounts, requestsWithin } from "./requests.ts";
import type { Idle, Restart, UserChanges } from "./upkeep.ts";

/** What one controller did with so many groups. */
export interface Measured {
  readonly controller: string;
  readonly groups: number;
  readonly creation: Creation & {
    readonly requestsPerGroup: RequestCounts;
    /** Of those: for StatefulSets, the headless Service, the status and Events, which both controllers write. */
    readonly matchingPerGroup: number;
  };
  readonly idle?: Idle & { readonly requests: RequestCounts };
  readonly restart?: Restart & { readonly requests: RequestCounts; readonly mutating: number };
  readonly userChanges?: UserChanges;
}

export interface SpeedRun {
  readonly groups: number;
  readonly controllers: readonly Measured[];
  readonly floor?: Pace;
}

export interface SpeedBenchmark {
  readonly benchmark: "speed";
  /** ISO 8601 */
  readonly date: string;
  readonly kubernetes: string;
  readonly cpus: number;
  /** Of the last minute, before and after. */
  readonly loadAverage: readonly [number, number];
  readonly runs: readonly SpeedRun[];
}

export function measuredOf(
  system: GroupSystem,
  groups: number,
  creation: Creation,
  { idle, restart }: { readonly idle?: Idle; readonly restart?: Restart },
  audit: readonly AuditRecord[],
): Measured {
  const within = ({ from, to }: { readonly from: Date; readonly to: Date }): AuditRecord[] =>
    requestsWithin(audit, { user: system.user, from, to });
  const making = within(creation);
  const perGroup = Object.entries(countByKind(making)).map(([kind, count]) => [kind, count / groups]);
  return {
    controller: system.name,
    groups,
    creation: {
      ...creation,
      requestsPerGroup: Object.fromEntries(perGroup),
      matchingPerGroup: making.filter((record) => isMatching(record, system)).length / groups,
    },
    ...(idle === undefined ? {} : { idle: { ...idle, requests: countByKind(within(idle)) } }),
    ...(restart === undefined
      ? {}
      : {
          restart: {
            ...restart,
            requests: countByKind(within(restart)),
            mutating: within(restart).filter(({ mutating }) => mutating).length,
          },
        }),
  };
}

/** LeaderWorkerSet has no Service but the headless one; of the two here only that of the ranks is headless. */
function isMatching({ resource, name }: AuditRecord, system: GroupSystem): boolean {
  if (resource === "services") return system.resource.group !== "mimo.dev" || name.endsWith("-ranks");
  return ["statefulsets", "events", system.resource.plural].includes(resource);
}

const total = (counts: RequestCounts): number => Object.values(counts).reduce((sum, count) => sum + count, 0);
const decimal = (value: number, digits = 1): string => value.toFixed(digits);
const rate = (groups: number, seconds: number): string => decimal(groups / seconds);
const missing = "—";

const headings = [
  "Groups",
  "By",
  "Groups/s: StatefulSets",
  "status",
  "CR → StatefulSets p50",
  "p99",
  "Requests per group",
  "of them matching",
  "CPU per group",
  "API server's CPU",
  "Peak RSS",
];

function rows({ runs }: SpeedBenchmark): string[][] {
  return runs.flatMap(({ groups, controllers, floor }) => [
    ...controllers.map(({ controller, creation }) => [
      String(groups),
      controller,
      ...paceCells(groups, creation),
      decimal(total(creation.requestsPerGroup)),
      decimal(creation.matchingPerGroup),
      `${decimal(creation.cpuMillisecondsPerGroup)} ms`,
      `${decimal(creation.apiServerCpuMillisecondsPerGroup, 0)} ms`,
      `${decimal(creation.peakMib, 0)} MiB`,
    ]),
    ...(floor === undefined
      ? []
      : [
          [
            String(groups),
            "bare loop",
            ...paceCells(groups, floor),
            missing,
            missing,
            missing,
            missing,
            missing,
          ],
        ]),
  ]);
}

const paceCells = (groups: number, pace: Pace): string[] => [
  rate(groups, pace.statefulSetSeconds),
  rate(groups, pace.statusSeconds),
  `${decimal(pace.medianMilliseconds, 0)} ms`,
  `${decimal(pace.p99Milliseconds, 0)} ms`,
];

const upkeepHeadings = [
  "Groups",
  "By",
  "Caught up after a restart",
  "CPU of it",
  "Peak RSS",
  "Writes",
  "Idle CPU per minute",
  "Idle requests",
  "User's change p50",
  "p99",
];

function upkeepRows({ runs }: SpeedBenchmark): string[][] {
  return runs.flatMap(({ groups, controllers }) =>
    controllers.flatMap(({ controller, idle, restart, userChanges }) =>
      idle === undefined || restart === undefined
        ? []
        : [
            [
              String(groups),
              controller,
              `${decimal(restart.caughtUpSeconds)} s`,
              `${decimal(restart.cpuMilliseconds / 1000)} s`,
              `${decimal(restart.peakMib, 0)} MiB`,
              String(restart.mutating),
              `${decimal((idle.cpuMilliseconds / idle.seconds) * 60, 0)} ms`,
              String(total(idle.requests)),
              userChanges === undefined ? missing : `${decimal(userChanges.medianMilliseconds, 0)} ms`,
              userChanges === undefined ? missing : `${decimal(userChanges.p99Milliseconds, 0)} ms`,
            ],
          ],
    ),
  );
}

const ratioHeadings = ["Groups", "This operator against", "", "Ratio"];

/** What one run says of this operator, against the others in it and against itself with fewer groups. */
function ratioRows({ runs }: SpeedBenchmark): string[][] {
  return runs.flatMap(({ groups, controllers, floor }) => {
    const mine = controllers.at(-1);
    const peer = controllers.length > 1 ? controllers[0] : undefined;
    if (mine === undefined) return [];
    const against = (whom: string, what: string, ratio: number): string[] => [
      String(groups),
      whom,
      what,
      decimal(ratio, 2),
    ];
    const fewer = runs.find((run) => run.groups === groups / 10)?.controllers.at(-1);
    return [
      ...(peer === undefined
        ? []
        : peerRatios(mine, peer).map(([what, ratio]) => against(peer.controller, what, ratio))),
      ...(floor === undefined
        ? []
        : [
            against(
              "bare loop",
              "groups/s until all StatefulSets exist",
              floor.statefulSetSeconds / mine.creation.statefulSetSeconds,
            ),
            against(
              "bare loop",
              "groups/s until all statuses are written",
              floor.statusSeconds / mine.creation.statusSeconds,
            ),
          ]),
      ...(fewer === undefined
        ? []
        : [
            against(
              `itself with ${fewer.groups}`,
              "CPU per group",
              mine.creation.cpuMillisecondsPerGroup / fewer.creation.cpuMillisecondsPerGroup,
            ),
          ]),
    ];
  });
}

function peerRatios(mine: Measured, peer: Measured): [string, number][] {
  const [a, b] = [mine.creation, peer.creation];
  return [
    ["groups/s until all StatefulSets exist", b.statefulSetSeconds / a.statefulSetSeconds],
    ["groups/s until all statuses are written", b.statusSeconds / a.statusSeconds],
    ["matching requests per group", a.matchingPerGroup / b.matchingPerGroup],
    ["all requests per group", total(a.requestsPerGroup) / total(b.requestsPerGroup)],
    ["CPU per group", a.cpuMillisecondsPerGroup / b.cpuMillisecondsPerGroup],
    ["peak RSS", a.peakMib / b.peakMib],
    ...(mine.restart === undefined || peer.restart === undefined
      ? []
      : [
          [
            "seconds until caught up after a restart",
            mine.restart.caughtUpSeconds / peer.restart.caughtUpSeconds,
          ] as [string, number],
          ["CPU of a restart", mine.restart.cpuMilliseconds / peer.restart.cpuMilliseconds] as [
            string,
            number,
          ],
        ]),
  ];
}

function requestRows({ runs }: SpeedBenchmark): string[][] {
  return runs.flatMap(({ groups, controllers }) =>
    controllers.map(({ controller, creation }) => [
      String(groups),
      controller,
      Object.entries(creation.requestsPerGroup)
        .sort(([, a], [, b]) => b - a)
        .map(([kind, count]) => `${decimal(count, 2)} ${kind}`)
        .join(", "),
    ]),
  );
}

/** For a terminal. */
export function text(result: SpeedBenchmark): string {
  const blocks = [
    [headings, ...rows(result)],
    [["Groups", "By", "Requests for one group"], ...requestRows(result)],
    [upkeepHeadings, ...upkeepRows(result)],
    [ratioHeadings, ...ratioRows(result)],
  ];
  return blocks
    .filter((block) => block.length > 1)
    .map((block) => alignColumns(block).join("\n"))
    .join("\n\n");
}

/** Whom the operator stands beside, where there is somebody. */
const withPeers = ({ runs }: SpeedBenchmark): string =>
  runs.some(({ controllers, floor }) => controllers.length > 1 && floor !== undefined)
    ? " This operator and LeaderWorkerSet in one run, each on a control plane of its own that is like the other's and as new, and beside them the floor: the very writes of this operator, taken from the audit log and sent again for as many groups by a loop that does nothing else."
    : " This operator by itself.";

/** The section in docs/performance.md. */
export function section(result: SpeedBenchmark): string {
  const [before, after] = result.loadAverage;
  const { cpus, kubernetes, date, runs } = result;
  const upkeep = upkeepRows(result);
  return [
    `## Making ${runs.map(({ groups }) => groups).join(", ")} groups, and keeping them`,
    `So many groups of two ranks are asked for at once. How fast are they made, what does it cost, and what do they cost afterwards?${withPeers(result)} **No GPUs were involved**: pods are made and never started. Absolute figures move with the machine; compare within a run.`,
    table(headings, rows(result)),
    bullets([
      `**Groups**: ${groupsPerNamespace} in a namespace, as on a cluster that teams share. Kubernetes' own controllers walk all Services and disruption budgets of a pod's namespace; with thousands in one they, not the operator, would be what is measured.`,
      "**Groups/s**: groups by the time from the first object posted until the StatefulSets of all groups exist, and until every object's status counts its group. LeaderWorkerSet makes two StatefulSets for a group of two, this operator one.",
      "**CR → StatefulSets**: from an object's POST. All objects are posted at once, so this is mostly waiting in line.",
      "**Requests**: by the controller itself, from the audit log, without watches and Leases. **Matching** are those for what both make: StatefulSets, the headless Service, status, Events. This operator also makes an API Service, a PodDisruptionBudget, a NetworkPolicy and a ControllerRevision with the frozen plan. There are no nodes here, so it lets no group in: with nodes one patch of the StatefulSet and one of each pod come on top.",
      "**CPU** is user and system time of the process; the API server's is what it used meanwhile, for everyone.",
    ]),
    table(["Groups", "By", "Requests for one group"], requestRows(result)),
    ...(upkeep.length === 0
      ? []
      : [
          "### Afterwards",
          table(upkeepHeadings, upkeep),
          bullets([
            "**Caught up**: from the start of the process until its reconcilers have looked at every group and nothing waits. **Writes** are those of the restart; nothing had changed.",
            "**User's change**: from a PATCH of one object until its status speaks of the new generation, while all others are looked at over and over again.",
          ]),
        ]),
    "### Ratios",
    table(ratioHeadings, ratioRows(result)),
    "### How the speed was measured",
    bullets([
      `${date.slice(0, 10)}, ${kubernetes}, ${cpus} CPUs for everything: etcd (without fsync), kube-apiserver with its audit log, kube-controller-manager, the controller, and the program that measures. No scheduler, no kubelets. Load average ${decimal(before)} before, ${decimal(after)} after.`,
      "LeaderWorkerSet is built from its Go module and runs as it comes, with its own roles and webhooks; leader election is off. It goes first; this operator then begins on a control plane that nothing was made on. This operator is the one file of its image, with the heap that it has in its container, as its own ServiceAccount with its defaults, leader election on. The bare loop has a control plane of its own, since ClusterIPs get dearer with their number.",
    ]),
  ]
    .filter((block) => block !== "")
    .join("\n\n");
}
