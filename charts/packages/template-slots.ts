import { operatorName, operatorRoles } from "../rbac.ts";

/**
 * Lines that stand in a template for one field.
 * @param indent of the field, as spaces
 * @param key of the field with its colon, or "-" for an item of a list
 */
export type Lines = (indent: string, key: string) => readonly string[];

/** Where in which objects a field comes from values. */
export interface Slot {
  readonly kind: string;
  readonly name?: string;
  /** A list's item by its place. */
  readonly path: string;
  readonly lines: Lines;
}

/** A word, a number or a text in quotes. */
const value =
  (expression: string): Lines =>
  (indent, key) => [`${indent}${key} ${expression}`];

/** A field that is there when its value isn't empty, with the value as it was written. */
const block =
  (expression: string): Lines =>
  (indent, key) => [
    `${indent}{{- with ${expression} }}`,
    `${indent}${key}`,
    `${indent}  {{- toYaml . | nindent ${indent.length + 2} }}`,
    `${indent}{{- end }}`,
  ];

/** The entries of a value among those of the map that the field is in. */
const entries =
  (expression: string): Lines =>
  (indent) => [
    `${indent}{{- with ${expression} }}`,
    `${indent}{{- toYaml . | nindent ${indent.length} }}`,
    `${indent}{{- end }}`,
  ];

const optionalItem =
  (condition: string, item: string): Lines =>
  (indent) => [`${indent}{{- with ${condition} }}`, `${indent}- ${item}`, `${indent}{{- end }}`];

const list =
  (expression: string, item: readonly string[]): Lines =>
  (indent, key) => [
    `${indent}${key}`,
    `${indent}{{- range ${expression} }}`,
    ...item.map((line) => `${indent}${line}`),
    `${indent}{{- end }}`,
  ];

const optional =
  (expression: string, lines: Lines): Lines =>
  (indent, key) => [`${indent}{{- if ${expression} }}`, ...lines(indent, key), `${indent}{{- end }}`];

const template = "spec.template.spec";
const container = `${template}.containers.0`;
const image = "$.Values.image";

/** Every field of the installation that values decide, besides namespaces, which are told by their names. */
export const slots: readonly Slot[] = [
  { kind: "Deployment", path: "spec.replicas", lines: value("{{ int $.Values.replicas }}") },
  {
    kind: "Deployment",
    path: "spec.template.metadata.annotations",
    lines: block("$.Values.podAnnotations"),
  },
  {
    kind: "Deployment",
    path: "spec.template.metadata.labels.specimen",
    lines: entries("$.Values.podLabels"),
  },
  {
    kind: "Deployment",
    path: `${template}.imagePullSecrets`,
    lines: optional(
      "$.Values.imagePullSecrets",
      list("$.Values.imagePullSecrets", ["- name: {{ . | quote }}"]),
    ),
  },
  { kind: "Deployment", path: `${template}.nodeSelector`, lines: block("$.Values.nodeSelector") },
  { kind: "Deployment", path: `${template}.tolerations`, lines: block("$.Values.tolerations") },
  {
    kind: "Deployment",
    path: `${template}.priorityClassName`,
    lines: optional("$.Values.priorityClassName", value("{{ $.Values.priorityClassName | quote }}")),
  },
  {
    kind: "Deployment",
    path: `${container}.image`,
    lines: value(
      `"{{ ${image}.repository }}{{ if ${image}.digest }}@{{ ${image}.digest }}{{ else }}:{{ ${image}.tag }}{{ end }}"`,
    ),
  },
  { kind: "Deployment", path: `${container}.imagePullPolicy`, lines: value(`{{ ${image}.pullPolicy }}`) },
  { kind: "Deployment", path: `${container}.resources`, lines: value("{{ toJson $.Values.resources }}") },
  { kind: "Deployment", path: `${container}.args.1`, lines: value("--workers={{ int $.Values.workers }}") },
  { kind: "Deployment", path: `${container}.args.2`, lines: value("--log-level={{ $.Values.logLevel }}") },
  {
    kind: "Deployment",
    path: `${container}.args.3`,
    lines: optionalItem('include "mimo-operator.namespaces" $', "--namespaces={{ . }}"),
  },
  { kind: "PodMonitor", path: "metadata.labels.specimen", lines: entries("$.Values.podMonitor.labels") },
  {
    kind: "PodMonitor",
    path: "spec.podMetricsEndpoints.0.interval",
    lines: value("{{ $.Values.podMonitor.interval }}"),
  },
  {
    kind: "ClusterRoleBinding",
    name: operatorRoles.nodes,
    path: "subjects",
    lines: list(
      '(concat (eq $.Values.part "all" | ternary (list $.Release.Namespace) list) $.Values.nodeReaders)',
      ["- kind: ServiceAccount", `  name: ${operatorName}`, "  namespace: {{ . | quote }}"],
    ),
  },
];

/** When an object is there. The first that fits counts. */
interface Presence {
  readonly kinds: readonly string[];
  readonly names?: readonly string[];
  readonly when: string;
  /** One object for each of these, which is "." in it. */
  readonly forEach?: string;
}

const clusterPart = 'ne $.Values.part "namespace"';
const namespacePart = 'ne $.Values.part "cluster"';
const together = 'eq $.Values.part "all"';
const workNamespaces = '(compact (splitList "," (include "mimo-operator.namespaces" $)))';

export const presences: readonly Presence[] = [
  {
    kinds: ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"],
    when: `and (${clusterPart}) $.Values.admissionPolicies`,
  },
  {
    kinds: ["ClusterRoleBinding"],
    names: [operatorRoles.nodes],
    when: `and (${clusterPart}) (or (${together}) $.Values.nodeReaders)`,
  },
  { kinds: ["ClusterRoleBinding"], names: [operatorRoles.platform], when: together },
  {
    kinds: ["ClusterRoleBinding"],
    names: [operatorRoles.deployments],
    when: `and (${together}) (not $.Values.namespaces)`,
  },
  {
    kinds: ["ClusterRoleBinding"],
    names: [operatorRoles.logs],
    when: `and (${together}) (not $.Values.namespaces) $.Values.logAccess`,
  },
  { kinds: ["CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"], when: clusterPart },
  {
    kinds: ["RoleBinding"],
    names: [`${operatorName}-deployments`],
    when: namespacePart,
    forEach: workNamespaces,
  },
  {
    kinds: ["RoleBinding"],
    names: [`${operatorName}-logs`],
    when: `and (${namespacePart}) $.Values.logAccess`,
    forEach: workNamespaces,
  },
  { kinds: ["NetworkPolicy"], when: `and (${namespacePart}) $.Values.networkPolicy` },
  { kinds: ["PodMonitor"], when: `and (${namespacePart}) $.Values.podMonitor.enabled` },
  {
    kinds: ["ServiceAccount", "Role", "RoleBinding", "Deployment", "PodDisruptionBudget"],
    when: namespacePart,
  },
];

/** Said by several templates: where the operator works, "" for everywhere. */
export const helpers = `{{- define "mimo-operator.namespaces" -}}
{{- if $.Values.namespaces -}}
{{ join "," $.Values.namespaces }}
{{- else if eq $.Values.part "namespace" -}}
{{ $.Release.Namespace }}
{{- end -}}
{{- end -}}
`;
