import type { Dashboard, Panel } from "./dashboard.ts";

const chosen = 'namespace="$namespace",deployment="$deployment"';

/** What SGLang tells of one thing, of each rank 0. */
const server = (
  title: string,
  metric: string,
  description: string,
  more: Partial<Pick<Panel, "unit" | "max" | "width">> = {},
): Panel => ({
  title,
  kind: "timeseries",
  width: 8,
  queries: [{ expr: `max by (group) (${metric}{${chosen}})`, legend: "group {{group}}" }],
  description,
  ...more,
});

const stat = (title: string, expr: string, description: string): Panel => ({
  title,
  kind: "stat",
  width: 6,
  queries: [{ expr }],
  description,
});

const latency = (title: string, metric: string, description: string): Panel => ({
  title,
  kind: "timeseries",
  width: 8,
  unit: "s",
  queries: [0.5, 0.95].map((share) => ({
    expr: `histogram_quantile(${share}, sum by (le) (rate(${metric}_bucket{${chosen}}[5m])))`,
    legend: `p${share * 100}`,
  })),
  description,
});

/** One MiMoDeployment: what the operator says of its groups, and what their servers say. */
export const deploymentDashboard: Dashboard = {
  uid: "mimo-deployment",
  title: "MiMo: one deployment",
  description: "A MiMoDeployment, its serving groups and their servers.",
  variables: [
    { name: "namespace", label: "Namespace", query: "label_values(mimo_deployment_info, namespace)" },
    {
      name: "deployment",
      label: "Deployment",
      query: 'label_values(mimo_deployment_info{namespace="$namespace"}, deployment)',
    },
  ],
  rows: [
    {
      title: "Groups",
      panels: [
        stat("Ready groups", `max(mimo_deployment_groups{${chosen},state="Ready"})`, "Groups that serve."),
        stat("Wanted groups", `max(mimo_deployment_groups_wanted{${chosen}})`, "0 while suspended."),
        stat("GPUs held", `sum(mimo_deployment_gpus{${chosen},state="held"})`, "By ranks that have a node."),
        stat(
          "GPUs waited for",
          `sum(mimo_deployment_gpus{${chosen},state="waiting"})`,
          "By ranks that have no node yet.",
        ),
        {
          title: "Groups by state",
          kind: "timeseries",
          width: 8,
          stacked: true,
          queries: [{ expr: `sum by (state) (mimo_deployment_groups{${chosen}})`, legend: "{{state}}" }],
          description: "Where the groups are on their way.",
        },
        {
          title: "Start against its budget",
          kind: "timeseries",
          width: 8,
          unit: "s",
          queries: [
            { expr: `max by (group) (mimo_group_starting_seconds{${chosen}})`, legend: "group {{group}}" },
            { expr: `max(mimo_deployment_startup_budget_seconds{${chosen}})`, legend: "budget" },
          ],
          description: "At the end of the budget the kubelet restarts the container.",
        },
        server(
          "Weights loaded",
          "mimo_group_loaded_ratio",
          "By the logs of the ranks, where those may be read.",
          {
            unit: "percentunit",
            max: 1,
          },
        ),
        {
          title: "Conditions",
          kind: "table",
          width: 8,
          queries: [{ expr: `max by (condition, reason) (mimo_deployment_condition{${chosen}})` }],
          description: "1: True. docs/troubleshooting.md explains every reason.",
        },
        {
          title: "Losses by reason, per hour",
          kind: "timeseries",
          width: 8,
          queries: [
            {
              expr: `sum by (reason) (increase(mimo_group_losses_total{${chosen}}[1h])) > 0`,
              legend: "{{reason}}",
            },
          ],
          description: "Why ranks were lost; `mimo status` has the last words of each.",
        },
        {
          title: "Memory of each GPU",
          kind: "timeseries",
          width: 8,
          unit: "bytes",
          stacked: true,
          queries: [
            {
              expr: `max by (content) (mimo_deployment_gpu_memory_bytes{${chosen}})`,
              legend: "{{content}}",
            },
          ],
          description: "By the plan. Estimated, not measured.",
        },
      ],
    },
    {
      title: "Servers (SGLang, rank 0 of each group)",
      panels: [
        server("Running requests", "sglang:num_running_reqs", "Requests that are worked on."),
        server("Waiting requests", "sglang:num_queue_reqs", "A queue that grows wants more groups."),
        server(
          "KV cache in use",
          "sglang:token_usage",
          "Near 1, requests are retracted and computed again.",
          {
            unit: "percentunit",
            max: 1,
          },
        ),
        server("Tokens per second", "sglang:gen_throughput", "Generated."),
        server("Prefix cache hits", "sglang:cache_hit_rate", "Part of the prompts that was in the cache.", {
          unit: "percentunit",
          max: 1,
        }),
        server(
          "Accepted draft tokens",
          "sglang:spec_accept_length",
          "Tokens per step with speculative decoding; near 1 it only costs.",
        ),
        latency("Time to first token", "sglang:time_to_first_token_seconds", "Waiting and prefill."),
        latency("Time of a request", "sglang:e2e_request_latency_seconds", "From arrival to the last token."),
        {
          title: "Requests",
          kind: "timeseries",
          width: 8,
          unit: "reqps",
          queries: [{ expr: `sum(rate(sglang:num_requests_total{${chosen}}[5m]))`, legend: "finished" }],
          description: "All groups together.",
        },
      ],
    },
  ],
};
