import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { annotations } from "../../charts/names.ts";
import { deploymentSpec } from "../../crds/deployment.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Store } from "../runtime/store.ts";
import { keyOf, parseKey } from "./keys.ts";
import type { Deployment } from "./objects.ts";
import { readStatus } from "./observe.ts";
import type { Observed } from "./observed.ts";
import { createStarts } from "./starts.ts";

/** Tells Prometheus of the deployments. A reconcile reports what it saw; all else is read from the cache when scraped. */
export interface DeploymentMetrics {
  looked(key: string, observed: Observed): void;
  forgot(key: string): void;
}

export interface DeploymentMetricsOptions {
  readonly registry: Registry;
  readonly deployments: Pick<Store<Deployment>, "list">;
  /** Two operators that told of the same deployments would double every sum. */
  readonly isLeading: () => boolean;
  readonly clock: Clock;
}

interface Sample {
  readonly metric: keyof typeof gauges;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const own = ["namespace", "deployment"];
const gauges = {
  mimo_deployment_info: {
    help: "What is served on what; always 1",
    labels: [...own, "variant", "hardware", "runtime"],
  },
  mimo_deployment_groups_wanted: { help: "Serving groups asked for; 0 while suspended", labels: own },
  mimo_deployment_groups: { help: "Serving groups by state", labels: [...own, "state"] },
  mimo_deployment_condition: {
    help: "1 where the condition is True, 0 where it is False; missing while it is Unknown",
    labels: [...own, "condition", "reason"],
  },
  mimo_deployment_gpus: {
    help: "GPUs of ranks that have a node (held), and of those that have none (waiting)",
    labels: [...own, "hardware", "state"],
  },
  mimo_deployment_gpu_memory_bytes: {
    help: "Memory of each GPU by what it holds; estimated, not measured",
    labels: [...own, "content"],
  },
  mimo_deployment_kv_cache_tokens: {
    help: "Tokens that one data parallel rank holds; estimated, not measured",
    labels: own,
  },
  mimo_deployment_context_tokens: { help: "Longest request", labels: own },
  mimo_deployment_startup_budget_seconds: {
    help: "Time that a start may take before the kubelet restarts the container",
    labels: own,
  },
  mimo_group_loaded_ratio: {
    help: "Part of the checkpoint that a loading group has loaded, by its log",
    labels: [...own, "group"],
  },
} as const;

/** From minutes with a warm store to hours of downloading. */
const readyBuckets = [30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400];
const gib = 2 ** 30;

/** Reasons that Kubernetes and this operator give; a label takes no other, or anybody's container could make series. */
const reasons = [
  ...["OOMKilled", "Error", "Completed", "ContainerRestarted", "Failed", "Evicted", "NodeLost", "Vanished"],
  ...["Deleted", "EvictionByEvictionAPI", "PreemptionByScheduler", "DeletionByTaintManager"],
  ...["DeletionByPodGC", "TerminationByKubelet", "Other"],
];

export function createDeploymentMetrics(options: DeploymentMetricsOptions): DeploymentMetrics {
  const { registry, deployments, isLeading, clock } = options;
  const registers = [registry];
  const starts = createStarts();
  const losses = new Counter({
    name: "mimo_group_losses_total",
    help: "Ranks lost, and containers that ended, by reason",
    labelNames: [...own, "reason"],
    registers,
  });
  const secondsToReady = new Histogram({
    name: "mimo_group_time_to_ready_seconds",
    help: "From the moment all ranks have nodes until all are Ready",
    labelNames: ["variant", "hardware"],
    buckets: readyBuckets,
    registers,
  });
  // Objects in a cache don't change: each is read once, however often somebody scrapes.
  const read = new WeakMap<Deployment, readonly Sample[]>();
  function* samples(): Iterable<Sample> {
    if (!isLeading()) return;
    for (const deployment of deployments.list()) {
      const known = read.get(deployment) ?? samplesOf(deployment);
      read.set(deployment, known);
      yield* known;
    }
  }
  for (const [name, { help, labels }] of Object.entries(gauges))
    new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers,
      collect() {
        this.reset();
        for (const { metric, labels, value } of samples())
          if (metric === name) this.set({ ...labels }, value);
      },
    });
  new Gauge({
    name: "mimo_group_starting_seconds",
    help: "How long a group has been on its way to Ready with all its ranks on nodes",
    labelNames: [...own, "group"],
    registers,
    collect() {
      this.reset();
      if (!isLeading()) return;
      for (const { metadata } of deployments.list())
        for (const [id, since] of starts.starting(keyOf(metadata.namespace, metadata.name)))
          this.set({ ...ownLabels(metadata), group: String(id) }, (clock.now() - since) / 1000);
    },
  });
  // A series that begins with its first event would hide that event from rate(), so each begins at zero.
  const seen = new Set<string>();
  const begun = new Set<string>();

  return {
    looked: (key, observed) => {
      const labels = ownLabels(observed);
      if (!seen.has(key)) for (const reason of reasons) losses.inc({ ...labels, reason }, 0);
      seen.add(key);
      const news = starts.look(key, observed.groups, observed.now);
      for (const { reason } of news.losses)
        losses.inc({ ...labels, reason: reasons.includes(reason) ? reason : "Other" });
      if (!observed.spec.ok) return;
      const { variant, hardware } = observed.spec.value;
      const pair = `${variant} ${hardware}`;
      if (!begun.has(pair)) secondsToReady.zero({ variant, hardware });
      begun.add(pair);
      for (const seconds of news.secondsToReady) secondsToReady.observe({ variant, hardware }, seconds);
    },
    forgot: (key) => {
      starts.forget(key);
      if (!seen.delete(key)) return;
      for (const reason of reasons) losses.remove({ ...ownLabels(parseKey(key)), reason });
    },
  };
}

const ownLabels = ({
  namespace = "",
  name,
}: {
  namespace?: string;
  name: string;
}): Record<string, string> => ({
  namespace,
  deployment: name,
});

/** What the object says, as samples. */
function samplesOf({ metadata, spec, status }: Deployment): Sample[] {
  const wanted = deploymentSpec.safeParse(spec);
  if (!wanted.success) return [];
  const { variant, hardware, replicas, suspend } = wanted.data;
  const isSuspended = suspend === true || metadata.annotations?.[annotations.suspended] === "true";
  const { plan, conditions = [], groups = [] } = readStatus({ status }) ?? {};
  const labels = ownLabels(metadata);
  const sample = (metric: Sample["metric"], value: number, more: Record<string, string> = {}): Sample => ({
    metric,
    labels: { ...labels, ...more },
    value,
  });
  const byState = Object.groupBy(groups, ({ state }) => state);
  const result = [
    sample("mimo_deployment_info", 1, { variant, hardware, runtime: plan?.runtime ?? "" }),
    sample("mimo_deployment_groups_wanted", isSuspended ? 0 : replicas),
    ...Object.entries({ Ready: [], ...byState }).map(([state, all = []]) =>
      sample("mimo_deployment_groups", all.length, { state }),
    ),
    ...conditions
      .filter(({ status }) => status !== "Unknown")
      .map(({ type, status, reason }) =>
        sample("mimo_deployment_condition", status === "True" ? 1 : 0, { condition: type, reason }),
      ),
    ...groups
      .filter(({ percentLoaded }) => percentLoaded !== undefined)
      .map(({ id, percentLoaded = 0 }) =>
        sample("mimo_group_loaded_ratio", percentLoaded / 100, { group: String(id) }),
      ),
  ];
  if (plan === undefined) return result;
  const ranks = groups.reduce((sum, group) => sum + group.ranks, 0);
  const placed = groups.flatMap(({ nodes }) => nodes).filter((node) => node !== "").length;
  const { weightsGibPerGpu, kvGibPerGpu, tokensPerDataParallelRank, contextLength } = plan.memory;
  return [
    ...result,
    sample("mimo_deployment_gpus", placed * plan.gpusPerNode, { hardware, state: "held" }),
    sample("mimo_deployment_gpus", (ranks - placed) * plan.gpusPerNode, { hardware, state: "waiting" }),
    sample("mimo_deployment_gpu_memory_bytes", Number(weightsGibPerGpu) * gib, { content: "weights" }),
    sample("mimo_deployment_gpu_memory_bytes", Number(kvGibPerGpu) * gib, { content: "kv_cache" }),
    sample("mimo_deployment_kv_cache_tokens", tokensPerDataParallelRank),
    sample("mimo_deployment_context_tokens", contextLength),
    ...(plan.startupSeconds === undefined
      ? []
      : [sample("mimo_deployment_startup_budget_seconds", plan.startupSeconds)]),
  ];
}
