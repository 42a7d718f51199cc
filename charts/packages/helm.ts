import { stringify } from "yaml";
import { z } from "zod";
import packageJson from "../../package.json" with { type: "json" };
import { installObjects } from "../install.ts";
import { type InstallValues, installValues } from "../install-values.ts";
import type { KubeObject } from "../kubernetes.ts";
import { operatorName } from "../rbac.ts";
import { installValuesSchema, isGroup, type ValueSchema } from "../values-schema.ts";
import { toYaml } from "../yaml.ts";
import { helpers, type Lines, presences, slots } from "./template-slots.ts";

/** Stand for namespaces in the objects that templates are made from. */
const releaseNamespace = "specimen-release";
const workNamespace = "specimen-work";

/** Everything is there in one or the other. */
const specimens: readonly InstallValues[] = (["all", "namespace"] as const).map((part) =>
  installValues.parse({
    part,
    namespaces: part === "all" ? [] : [workNamespace],
    imagePullSecrets: ["specimen"],
    podMonitor: { enabled: true, labels: { specimen: "x" } },
    priorityClassName: "specimen",
    nodeSelector: { specimen: "x" },
    tolerations: [{ operator: "Exists" }],
    podAnnotations: { specimen: "x" },
    podLabels: { specimen: "x" },
  }),
);

/** Files of the Helm chart: path → content. The templates are the installation's objects with values in their places. */
export function helmChart(heading: string): Record<string, string> {
  const templates = specimenObjects().map(
    (object) => [`templates/${fileName(object)}.yaml`, heading + templateOf(object)] as const,
  );
  return {
    "Chart.yaml": heading + chartYaml(),
    "values.yaml": heading + valuesYaml(installValuesSchema()),
    "values.schema.json": `${JSON.stringify(chartSchema(), undefined, 2)}\n`,
    "templates/_helpers.tpl": helpers,
    "templates/NOTES.txt": notes,
    ...Object.fromEntries(templates),
  };
}

const identity = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.namespace} ${metadata.name}`;
const fileName = ({ kind, metadata }: KubeObject): string => `${kind.toLowerCase()}-${metadata.name}`;

/** Every object of every specimen once; of two of a name the later, which is the one with a slot more. */
function specimenObjects(): KubeObject[] {
  const all = specimens.flatMap((values) => installObjects(values, releaseNamespace));
  return [...new Map(all.map((object) => [identity(object), object])).values()];
}

function templateOf(object: KubeObject): string {
  const { kind, metadata } = object;
  const presence = presences.find(
    ({ kinds, names }) => kinds.includes(kind) && (names?.includes(metadata.name ?? "") ?? true),
  );
  if (presence === undefined) throw new Error(`nothing says when ${fileName(object)} is part of the chart`);
  const [opening, closing] =
    presence.forEach === undefined ? ["", ""] : [`{{- range ${presence.forEach} }}\n`, "{{- end }}\n"];
  return `{{- if ${presence.when} }}\n${opening}${withSlots(object)}${closing}{{- end }}\n`;
}

/** The object as YAML, with the lines of its slots. @throws Error when a slot has no line of its own in it. */
function withSlots(object: KubeObject): string {
  const { kind, metadata } = object;
  const own = slots.filter((slot) => slot.kind === kind && (slot.name ?? metadata.name) === metadata.name);
  const marked = own.reduce<unknown>(
    (value, { path }, index) => replaced(value, path.split("."), markOf(index)),
    object,
  );
  const lines = toYaml([kubeObject.parse(marked)])
    .replaceAll("{{", '{{ "{{" }}')
    .split("\n")
    .flatMap((line) =>
      filled(
        line,
        own.map((slot) => slot.lines),
      ),
    );
  const text = lines
    .join("\n")
    .replaceAll(releaseNamespace, "{{ $.Release.Namespace | quote }}")
    .replaceAll(workNamespace, "{{ . | quote }}");
  const lost = own.filter((_, index) => text.includes(markOf(index)));
  if (lost.length > 0) throw new Error(`${fileName(object)}: ${lost.map(({ path }) => path).join(", ")}`);
  return text;
}

const kubeObject = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({}),
});

const markOf = (index: number): string => `slot-${index}-here`;

function filled(line: string, lines: readonly Lines[]): readonly string[] {
  const found = /^( *)(.+:|-) slot-(\d+)-here$/.exec(line);
  const [, indent = "", key = "", index] = found ?? [];
  return found === null ? [line] : (lines[Number(index)]?.(indent, key) ?? [line]);
}

/** A copy in which the value at the path is another. @throws Error when there is none. */
function replaced(value: unknown, [step, ...rest]: readonly string[], mark: string): unknown {
  if (step === undefined) return mark;
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, step))
    throw new Error(`the objects that the chart is made from have no ${step}`);
  const change = ([key, item]: [string, unknown]): [string, unknown] => [
    key,
    key === step ? replaced(item, rest, mark) : item,
  ];
  const entries = Object.entries(value).map(change);
  return Array.isArray(value) ? entries.map(([, item]) => item) : Object.fromEntries(entries);
}

const chartYaml = (): string =>
  stringify({
    apiVersion: "v2",
    name: "mimo-operator",
    description: packageJson.description,
    type: "application",
    version: packageJson.version,
    appVersion: packageJson.version,
    // ValidatingAdmissionPolicy of admissionregistration.k8s.io/v1.
    kubeVersion: ">=1.30.0-0",
  });

/** As users may write it: Helm puts `global` beside the values of a chart inside another. */
function chartSchema(): object {
  const { properties, ...schema } = installValuesSchema();
  return { ...schema, properties: { global: { type: "object" }, ...properties } };
}

/** Every value with its default, and what it means above it. */
function valuesYaml({ properties = {} }: ValueSchema, indent = ""): string {
  return Object.entries(properties)
    .map(([key, schema]) => {
      if (isGroup(schema)) return `${indent}${key}:\n${valuesYaml(schema, `${indent}  `)}`;
      const field = stringify({ [key]: schema.default ?? null }).trimEnd();
      const lines = [`# ${schema.description}`, ...field.split("\n")];
      return `${lines.map((line) => `${indent}${line}`).join("\n")}\n`;
    })
    .join("");
}

const notes = `{{- if ne .Values.part "cluster" -}}
The operator of MiMoDeployments runs in namespace {{ .Release.Namespace }}:

  kubectl -n {{ .Release.Namespace }} rollout status deployment/${operatorName}

{{ end -}}
{{- if ne .Values.part "namespace" -}}
Next, say what the cluster offers and what its users may ask for: a MiMoPlatform named default.
{{ end -}}
`;
