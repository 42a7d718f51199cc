/** Series that raise an alert, and series that look like trouble and are none. */

export interface Case {
  readonly alert: string;
  readonly what: string;
  /** Series in Prometheus's notation for tests, a sample a minute. */
  readonly series: Readonly<Record<string, string>>;
  readonly at: string;
  readonly fires: boolean;
}

const own = 'namespace="team-a",deployment="pro"';
const condition = (type: string, reason: string): string =>
  `mimo_deployment_condition{${own},condition="${type}",reason="${reason}",pod="operator-0"}`;
const wanted = `mimo_deployment_groups_wanted{${own}}`;
const losses = (reason: string): string => `mimo_group_losses_total{${own},reason="${reason}"}`;
const starting = `mimo_group_starting_seconds{${own},group="0"}`;
const budget = `mimo_deployment_startup_budget_seconds{${own}}`;
const loaded = `mimo_group_loaded_ratio{${own},group="0"}`;
const waiting = `mimo_deployment_gpus{${own},hardware="GB300",state="waiting"}`;
const usage = `sglang:token_usage{${own},pod="pro-0-0",group="0"}`;
const queue = `sglang:num_queue_reqs{${own},pod="pro-0-0",group="0"}`;
const leader = 'leader_election_master_status{name="mimo-operator",pod="operator-0"}';
const errors = 'controller_runtime_reconcile_errors_total{controller="mimodeployment"}';
const stale = 'reflector_stale_seconds{resource="pods"}';

const raises = (alert: string, what: string, series: Case["series"], at: string): Case => ({
  alert,
  what,
  series,
  at,
  fires: true,
});
const quiet = (alert: string, what: string, series: Case["series"], at: string): Case => ({
  alert,
  what,
  series,
  at,
  fires: false,
});

export const cases: readonly Case[] = [
  raises(
    "MiMoDeploymentUnavailable",
    "it served, and a group was lost",
    {
      [condition("Available", "MinimumReady")]: "1x30 _x20",
      [condition("Available", "BelowMinimum")]: "_x30 0x20",
      [wanted]: "1x50",
    },
    "45m",
  ),
  quiet(
    "MiMoDeploymentUnavailable",
    "its first start takes hours",
    { [condition("Available", "BelowMinimum")]: "0x300", [wanted]: "1x300" },
    "280m",
  ),
  quiet(
    "MiMoDeploymentUnavailable",
    "somebody suspended it",
    {
      [condition("Available", "MinimumReady")]: "1x30 _x20",
      [condition("Available", "ScaledToZero")]: "_x30 0x20",
      [wanted]: "1x30 0x20",
    },
    "45m",
  ),
  raises(
    "MiMoDeploymentStalled",
    "a quota refuses pods",
    { [condition("Stalled", "QuotaExceeded")]: "1x20" },
    "10m",
  ),
  quiet(
    "MiMoDeploymentStalled",
    "it was so for a moment",
    { [condition("Stalled", "Forbidden")]: "1x3 0x20" },
    "10m",
  ),
  quiet(
    "MiMoDeploymentStalled",
    "a rollout stalls, which has an alert of its own",
    { [condition("Stalled", "RolloutStalled")]: "1x20" },
    "10m",
  ),
  raises(
    "MiMoRolloutStalled",
    "a revision does not become Ready",
    { [condition("Stalled", "RolloutStalled")]: "1x20" },
    "5m",
  ),
  raises(
    "MiMoRolloutStalled",
    "the last good one was brought back",
    { [condition("Stalled", "RolledBack")]: "1x20" },
    "5m",
  ),
  quiet(
    "MiMoRolloutStalled",
    "nothing is in the way",
    { [condition("Stalled", "NotStalled")]: "0x20" },
    "5m",
  ),
  raises(
    "MiMoGroupFlapping",
    "four ranks ran out of memory",
    { [losses("OOMKilled")]: "0x10 1 2 3 4 4x30" },
    "40m",
  ),
  quiet("MiMoGroupFlapping", "one did", { [losses("OOMKilled")]: "0x10 1x40" }, "40m"),
  quiet(
    "MiMoGroupFlapping",
    "nodes were drained",
    { [losses("EvictionByEvictionAPI")]: "0x10 1 2 3 4 4x30" },
    "40m",
  ),
  raises(
    "MiMoGroupStuckLoading",
    "most of the budget is used",
    { [starting]: "0+60x100", [budget]: "3600x100" },
    "60m",
  ),
  quiet(
    "MiMoGroupStuckLoading",
    "half of the budget is used",
    { [starting]: "0+60x100", [budget]: "7200x100" },
    "60m",
  ),
  raises(
    "MiMoGroupStuckLoading",
    "the percentage does not move",
    { [loaded]: "0 0.1 0.2 0.3 0.35x60" },
    "50m",
  ),
  quiet(
    "MiMoGroupStuckLoading",
    "the percentage moves slowly",
    { [loaded]: "0.1x20 0.15x20 0.2x20 0.25x20" },
    "70m",
  ),
  quiet("MiMoGroupStuckLoading", "it has only begun", { [loaded]: "0.1x20" }, "20m"),
  raises("MiMoGPUsWaiting", "there are no nodes", { [waiting]: "8x60" }, "40m"),
  quiet("MiMoGPUsWaiting", "nodes came in time", { [waiting]: "8x20 0x40" }, "40m"),
  raises("MiMoKVCacheFull", "the cache stays full", { [usage]: "0.99x30" }, "20m"),
  quiet("MiMoKVCacheFull", "it is well used", { [usage]: "0.9x30" }, "20m"),
  raises("MiMoQueueGrowing", "more come than go", { [queue]: "0+5x60" }, "50m"),
  quiet("MiMoQueueGrowing", "a long queue gets shorter", { [queue]: "300-5x55" }, "50m"),
  quiet("MiMoQueueGrowing", "few wait", { [queue]: "0 1 2 3 4 5 6 7 8x60" }, "50m"),
  raises("MiMoOperatorNotLeading", "all stand by", { [leader]: "0x20" }, "10m"),
  raises("MiMoOperatorNotLeading", "none is scraped", { [wanted]: "1x20" }, "10m"),
  quiet(
    "MiMoOperatorNotLeading",
    "one leads and one stands by",
    { [leader]: "1x20", [leader.replace("-0", "-1")]: "0x20" },
    "10m",
  ),
  raises("MiMoOperatorReconcileErrors", "it fails all the time", { [errors]: "0+1x60" }, "50m"),
  quiet("MiMoOperatorReconcileErrors", "it failed a few times", { [errors]: "0 1 2 3x60" }, "50m"),
  raises("MiMoOperatorCacheStale", "the API server is silent", { [stale]: "0+60x30" }, "20m"),
  quiet("MiMoOperatorCacheStale", "bookmarks come", { [stale]: "30x30" }, "20m"),
];
