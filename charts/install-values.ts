import { z } from "zod";
import packageJson from "../package.json" with { type: "json" };

const name = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'is no name: it takes lower case letters, digits, "-" and "."');
const wordMap = z.record(z.string(), z.string());
const quantity = z
  .string()
  .regex(/^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/, 'is no quantity: write for example "500m" or "1Gi"');
const quantities = z.record(z.string(), quantity);

const toleration = z.strictObject({
  key: z.string().exactOptional(),
  operator: z.enum(["Exists", "Equal"]).exactOptional(),
  value: z.string().exactOptional(),
  effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]).exactOptional(),
  tolerationSeconds: z.int().exactOptional(),
});

/**
 * How the operator is installed. Helm's values.yaml and values.schema.json and the options of `mimo install` are made from
 * this. Empty text and empty lists stand for "not set", as charts have it.
 */
export const installValues = z.strictObject({
  part: z
    .enum(["all", "cluster", "namespace"])
    .default("all")
    .describe(
      "What to install: cluster is what only a cluster's administrator may create (definitions, roles, admission policies), namespace an operator that its namespace's administrator can run beside it, all is both.",
    ),
  namespaces: z
    .array(name)
    .default([])
    .describe(
      "Namespaces that the operator works in. Empty: every namespace; with part namespace, the operator's own.",
    ),
  nodeReaders: z
    .array(name)
    .default([])
    .describe(
      "With part cluster: namespaces whose operators may read nodes, which tells them when a node is lost.",
    ),
  image: z
    .strictObject({
      repository: z.string().min(1).default("mimo-operator").describe("The operator's image."),
      tag: z.string().default(packageJson.version).describe("Its tag."),
      digest: z
        .string()
        .regex(/^(sha256:[0-9a-f]{64})?$/, 'takes "sha256:" and 64 hexadecimal digits')
        .default("")
        .describe("Its digest, which wins over the tag."),
      pullPolicy: z
        .enum(["Always", "IfNotPresent", "Never"])
        .default("IfNotPresent")
        .describe("When to pull it."),
    })
    .prefault({}),
  imagePullSecrets: z
    .array(name)
    .default([])
    .describe("Secrets of the operator's namespace to pull it with."),
  replicas: z.int().min(1).max(9).default(2).describe("Operators, of which one leads."),
  workers: z.int().min(1).max(100).default(8).describe("Deployments worked on at the same time."),
  logLevel: z
    .enum(["trace", "debug", "info", "warn", "error"])
    .default("info")
    .describe("Least level that the operator logs."),
  logAccess: z
    .boolean()
    .default(true)
    .describe("Let the operator read the ranks' logs, for the percentage loaded."),
  admissionPolicies: z
    .boolean()
    .default(true)
    .describe("Let the API server hold deployments to the limits of the MiMoPlatform."),
  networkPolicy: z
    .boolean()
    .default(true)
    .describe("Let nothing into the operator's pods but to health and metrics."),
  podMonitor: z
    .strictObject({
      enabled: z
        .boolean()
        .default(false)
        .describe("A PodMonitor of the operator's metrics. Needs the Prometheus operator's definitions."),
      interval: z
        .string()
        .regex(/^[0-9]+(s|m)$/, 'takes seconds or minutes: "30s"')
        .default("30s")
        .describe("How often metrics are fetched."),
      labels: wordMap.default({}).describe("Labels by which Prometheus finds it."),
    })
    .prefault({}),
  priorityClassName: z
    .union([name, z.literal("")])
    .default("")
    .describe("PriorityClass of the operator's pods."),
  resources: z
    .strictObject({ requests: quantities.exactOptional(), limits: quantities.exactOptional() })
    .default({ requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "512Mi" } })
    .describe("CPU and memory of the operator."),
  nodeSelector: wordMap.default({}).describe("Labels of the nodes for the operator."),
  tolerations: z.array(toleration).default([]).describe("Taints that the operator tolerates."),
  podAnnotations: wordMap.default({}).describe("Annotations of the operator's pods."),
  podLabels: wordMap.default({}).describe("Further labels of the operator's pods."),
});
export type InstallValues = z.output<typeof installValues>;
