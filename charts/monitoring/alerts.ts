import type { KubeObject } from "../kubernetes.ts";
import { operatorLabels, operatorName } from "../rbac.ts";

export interface Alert {
  readonly name: string;
  /** critical: nobody is served, or soon nobody is. */
  readonly severity: "warning" | "critical";
  readonly expr: string;
  /** How long it has to be so. */
  readonly for: string;
  readonly summary: string;
  readonly description: string;
}

const who = "{{ $labels.namespace }}/{{ $labels.deployment }}";
const own = "namespace, deployment";
/** Somebody drained, evicted or deleted the pod: no fault of the group. */
const orderly = "Deleted|EvictionByEvictionAPI|PreemptionByScheduler|DeletionByTaintManager";

/** Each has a page of its name in docs/runbooks. */
export const alerts: readonly Alert[] = [
  {
    name: "MiMoDeploymentUnavailable",
    severity: "critical",
    // A first start of hours is no outage.
    expr: `max by (${own}) (mimo_deployment_condition{condition="Available"}) == 0
and on (${own}) max by (${own}) (max_over_time(mimo_deployment_condition{condition="Available"}[1d])) == 1
and on (${own}) max by (${own}) (mimo_deployment_groups_wanted) > 0`,
    for: "5m",
    summary: `${who} serves too few requests: groups are missing`,
    description: "Fewer serving groups are Ready than replicas less rollout.maxUnavailable.",
  },
  {
    name: "MiMoDeploymentStalled",
    severity: "warning",
    expr: `max by (${own}, reason) (mimo_deployment_condition{condition="Stalled",reason!~"RolloutStalled|RolledBack"}) == 1`,
    for: "5m",
    summary: `${who} can't go on by itself: {{ $labels.reason }}`,
    description: "Only a person, or a change elsewhere in the cluster, can help it on.",
  },
  {
    name: "MiMoRolloutStalled",
    severity: "warning",
    expr: `max by (${own}, reason) (mimo_deployment_condition{condition="Stalled",reason=~"RolloutStalled|RolledBack"}) == 1`,
    for: "1m",
    summary: `the new revision of ${who} does not become Ready: {{ $labels.reason }}`,
    description:
      "The update is held, or the last good revision was brought back. Groups of it go on serving.",
  },
  {
    name: "MiMoGroupFlapping",
    severity: "warning",
    expr: `sum by (${own}) (increase(mimo_group_losses_total{reason!~"${orderly}"}[1h])) > 2`,
    for: "0m",
    summary: `groups of ${who} keep losing ranks`,
    description: "{{ $value | humanize }} losses within an hour. Each takes a group down for a whole start.",
  },
  {
    name: "MiMoGroupStuckLoading",
    severity: "warning",
    expr: `max by (${own}, group) (mimo_group_starting_seconds) > on (${own}) group_left () (0.8 * max by (${own}) (mimo_deployment_startup_budget_seconds))
or max by (${own}, group) (changes(mimo_group_loaded_ratio[30m]) == 0 and mimo_group_loaded_ratio < 1 and mimo_group_loaded_ratio offset 30m >= 0)`,
    for: "5m",
    summary: `group {{ $labels.group }} of ${who} does not get on with its start`,
    description:
      "It has used four fifths of its startup budget, or no weights were loaded for half an hour. At the end of the budget the kubelet restarts the container.",
  },
  {
    name: "MiMoGPUsWaiting",
    severity: "warning",
    expr: `sum by (${own}, hardware) (mimo_deployment_gpus{state="waiting"}) > 0`,
    for: "30m",
    summary: `${who} waits for {{ $value }} {{ $labels.hardware }} GPUs`,
    description: "Ranks have had no node for half an hour.",
  },
  {
    name: "MiMoKVCacheFull",
    severity: "warning",
    expr: `max by (${own}, pod) (sglang:token_usage) > 0.95`,
    for: "10m",
    summary: `the KV cache of ${who} is full`,
    description: "Requests wait or are retracted and computed again. Pod {{ $labels.pod }}.",
  },
  {
    name: "MiMoQueueGrowing",
    severity: "warning",
    expr: `sum by (${own}) (sglang:num_queue_reqs) > 10
and on (${own}) deriv(sum by (${own}) (sglang:num_queue_reqs)[15m:1m]) > 0`,
    for: "15m",
    summary: `requests queue up at ${who}`,
    description: "{{ $value }} requests wait, and the queue grows.",
  },
  {
    name: "MiMoOperatorNotLeading",
    severity: "critical",
    expr: `max(leader_election_master_status{name="${operatorName}"}) == 0
or absent(leader_election_master_status{name="${operatorName}"})`,
    for: "5m",
    summary: "no MiMo operator leads",
    description: "What serves goes on. Lost groups are not rebuilt, changes are not carried out.",
  },
  {
    name: "MiMoOperatorReconcileErrors",
    severity: "warning",
    expr: 'sum(increase(controller_runtime_reconcile_errors_total{controller="mimodeployment"}[15m])) > 5',
    for: "15m",
    summary: "the MiMo operator keeps failing",
    description: "{{ $value | humanize }} reconciles failed within 15 minutes.",
  },
  {
    name: "MiMoOperatorCacheStale",
    severity: "warning",
    expr: "max by (resource) (reflector_stale_seconds) > 300",
    for: "5m",
    summary: "the MiMo operator has not heard of {{ $labels.resource }} for minutes",
    description: "It decides on what it last saw.",
  },
];

/** Rules as Prometheus itself reads them. @param runbooks where docs/runbooks is, without a slash at the end */
export const ruleGroups = (runbooks: string): { groups: object[] } => ({
  groups: [
    {
      name: operatorName,
      rules: alerts.map((alert) => ({
        alert: alert.name,
        expr: alert.expr,
        for: alert.for,
        labels: { severity: alert.severity },
        annotations: {
          summary: alert.summary,
          description: alert.description,
          runbook_url: `${runbooks}/${alert.name}.md`,
        },
      })),
    },
  ],
});

export const prometheusRule = (namespace: string, runbooks: string): KubeObject & { spec: object } => ({
  apiVersion: "monitoring.coreos.com/v1",
  kind: "PrometheusRule",
  metadata: { name: operatorName, namespace, labels: operatorLabels },
  spec: ruleGroups(runbooks),
});
