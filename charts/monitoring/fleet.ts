import { operatorName } from "../rbac.ts";
import type { Dashboard } from "./dashboard.ts";

const stalled =
  'max by (namespace, deployment, reason) (mimo_deployment_condition{condition="Stalled"}) == 1';
const controller = 'controller="mimodeployment"';

/** Everything that is served in a cluster, and how the operator does. */
export const fleetDashboard: Dashboard = {
  uid: "mimo-fleet",
  title: "MiMo: fleet",
  description: "All MiMoDeployments of a cluster, and their operator.",
  variables: [],
  rows: [
    {
      title: "Deployments",
      panels: [
        {
          title: "Deployments",
          kind: "stat",
          width: 4,
          queries: [{ expr: "count(mimo_deployment_info) or vector(0)" }],
          description: "MiMoDeployments that the operator knows.",
        },
        {
          title: "Ready",
          kind: "stat",
          width: 4,
          queries: [{ expr: 'count(mimo_deployment_condition{condition="Ready"} == 1) or vector(0)' }],
          description: "Deployments all of whose groups serve, on the revision that was asked for.",
        },
        {
          title: "Stalled",
          kind: "stat",
          width: 4,
          queries: [{ expr: `count(${stalled}) or vector(0)` }],
          description: "Deployments that only a person can help on.",
        },
        {
          title: "GPUs held",
          kind: "stat",
          width: 4,
          queries: [{ expr: 'sum(mimo_deployment_gpus{state="held"}) or vector(0)' }],
          description: "GPUs of ranks that have a node.",
        },
        {
          title: "GPUs waited for",
          kind: "stat",
          width: 4,
          queries: [{ expr: 'sum(mimo_deployment_gpus{state="waiting"}) or vector(0)' }],
          description: "GPUs of ranks that have no node yet.",
        },
        {
          title: "Losses within a day",
          kind: "stat",
          width: 4,
          queries: [{ expr: "sum(increase(mimo_group_losses_total[1d])) or vector(0)" }],
          description: "Ranks lost and containers that ended.",
        },
        {
          title: "Groups by state",
          kind: "timeseries",
          width: 12,
          stacked: true,
          queries: [{ expr: "sum by (state) (mimo_deployment_groups)", legend: "{{state}}" }],
          description: "Where serving groups are on their way. Loading takes minutes to hours.",
        },
        {
          title: "GPUs by hardware",
          kind: "timeseries",
          width: 12,
          stacked: true,
          queries: [
            { expr: "sum by (hardware, state) (mimo_deployment_gpus)", legend: "{{hardware}} {{state}}" },
          ],
          description: "What is held, and what is waited for.",
        },
        {
          title: "Stalled deployments",
          kind: "table",
          width: 12,
          queries: [{ expr: stalled }],
          description: "With the reason; `kubectl describe` has the message.",
        },
        {
          title: "Losses by reason, per hour",
          kind: "timeseries",
          width: 12,
          queries: [
            { expr: "sum by (reason) (increase(mimo_group_losses_total[1h])) > 0", legend: "{{reason}}" },
          ],
          description: "Why ranks were lost. Deleted and EvictionByEvictionAPI are people's doing.",
        },
        {
          title: "Time to Ready",
          kind: "timeseries",
          width: 12,
          unit: "s",
          queries: [0.5, 0.9].map((share) => ({
            expr: `histogram_quantile(${share}, sum by (le, variant, hardware) (increase(mimo_group_time_to_ready_seconds_bucket[1d])))`,
            legend: `p${share * 100} {{variant}} {{hardware}}`,
          })),
          description: "From nodes for all ranks to all ranks Ready, over a day.",
        },
        {
          title: "Room for the longest request",
          kind: "timeseries",
          width: 12,
          queries: [
            {
              expr: "max by (namespace, deployment) (mimo_deployment_kv_cache_tokens) / max by (namespace, deployment) (mimo_deployment_context_tokens)",
              legend: "{{namespace}}/{{deployment}}",
            },
          ],
          description: "So many requests of the whole context fit into one data parallel rank. Estimated.",
        },
      ],
    },
    {
      title: "Operator",
      panels: [
        {
          title: "Leaders",
          kind: "stat",
          width: 4,
          queries: [{ expr: `sum(leader_election_master_status{name="${operatorName}"})` }],
          description: "One leads. 0: nothing is rebuilt or changed.",
        },
        {
          title: "Reconciles",
          kind: "timeseries",
          width: 10,
          unit: "ops",
          queries: [
            {
              expr: `sum by (result) (rate(controller_runtime_reconcile_total{${controller}}[5m]))`,
              legend: "{{result}}",
            },
          ],
          description: "Looks at deployments. Errors are retried.",
        },
        {
          title: "Time of a reconcile",
          kind: "timeseries",
          width: 10,
          unit: "s",
          queries: [0.5, 0.99].map((share) => ({
            expr: `histogram_quantile(${share}, sum by (le) (rate(controller_runtime_reconcile_time_seconds_bucket{${controller}}[5m])))`,
            legend: `p${share * 100}`,
          })),
          description: "Reading from caches and writing what differs.",
        },
        {
          title: "Work queue",
          kind: "timeseries",
          width: 8,
          queries: [
            { expr: 'max(workqueue_depth{name="mimodeployment"})', legend: "waiting" },
            { expr: `max(controller_runtime_active_workers{${controller}})`, legend: "worked on" },
          ],
          description: "A queue that doesn't empty means stuck workers.",
        },
        {
          title: "API requests",
          kind: "timeseries",
          width: 8,
          unit: "reqps",
          queries: [
            {
              expr: "sum by (method, code) (rate(rest_client_requests_total[5m]))",
              legend: "{{method}} {{code}}",
            },
          ],
          description: "All of a converged cluster's are watches and the lease.",
        },
        {
          title: "Age of caches",
          kind: "timeseries",
          width: 8,
          unit: "s",
          queries: [{ expr: "max by (resource) (reflector_stale_seconds)", legend: "{{resource}}" }],
          description: "The API server says something at least once a minute.",
        },
      ],
    },
  ],
};
