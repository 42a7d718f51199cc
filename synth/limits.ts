import type { DeploymentSpec } from "../crds/deployment.ts";
import type { Limits } from "../crds/limits.ts";
import { hardwareKinds, variants } from "../crds/names.ts";
import type { PlatformSpec } from "../crds/platform.ts";
import { defaultRuntime } from "./image.ts";
import { hostPathRefusal } from "./model-source.ts";
import { podPatchRefusal } from "./pod-patches.ts";
import type { Refusal } from "./serving-plan.ts";

/**
 * One limit of the platform, said twice: in CEL for the API server's admission policy, in TypeScript for the command line.
 * CEL knows `object` and `oldObject` (MiMoDeployments, the old one null when one is created), `params` (the MiMoPlatform) and
 * `namespaceObject`.
 */
export interface LimitRule {
  readonly field: string;
  /** True where the request keeps to the limit. */
  readonly rule: string;
  /** True where an update leaves alone what the rule is about: a tighter platform is for what comes after it. */
  readonly unchanged: string;
  /** An expression that gives the refusal: the field and one sentence. */
  readonly message: string;
  /** The same sentence without the field; undefined where the request keeps to the limit. Absent where the command line can't know, or says it anyway. */
  readonly refuse?: (spec: DeploymentSpec, platform: PlatformSpec) => string | undefined;
}

const ask = "or ask your platform team";

/** A value in a sentence: its CEL expression. Everything else is text. */
const cel = (expression: string): { readonly expression: string } => ({ expression });
type Part = string | ReturnType<typeof cel>;
const celSentence = (...parts: readonly Part[]): string =>
  parts
    .map((part) => (typeof part === "string" ? `'${part.replaceAll("'", "\\'")}'` : part.expression))
    .join(" + ");

/** "spec.image.repository" as CEL reaches for it: an optional value. */
const optional = (root: string, field: string): string => `${root}.${field.replaceAll(".", ".?")}`;
const untouched = (field: string): string =>
  `${optional("object", field)} == ${optional("oldObject", field)}`;

type ListName = {
  [Name in keyof Limits]-?: NonNullable<Limits[Name]> extends readonly string[] ? Name : never;
}[keyof Limits];

interface ListRule {
  readonly field: string;
  readonly list: ListName;
  /** Expression of an optional value; when absent, the field. */
  readonly expression?: string;
  readonly given: (spec: DeploymentSpec) => string | undefined;
  readonly unchanged?: string;
  /** Entries are paths, and allow what is below them. */
  readonly paths?: true;
}

/** A value that has to be in one of the platform's lists. */
function listRule({ field, list, expression, given, unchanged, paths }: ListRule): LimitRule {
  const entries = `params.spec.?limits.?${list}`;
  const asked = expression ?? optional("object", field);
  const matches = paths
    ? `${entries}.value().exists(entry, ${asked}.value() == entry || ${asked}.value().startsWith(entry + '/'))`
    : `${asked}.value() in ${entries}.value()`;
  const named = `(${entries}.value().size() == 0 ? 'no entry' : ${entries}.value().join(', '))`;
  return {
    field,
    rule: `!${entries}.hasValue() || !${asked}.hasValue() || ${matches}`,
    unchanged: unchanged ?? untouched(field),
    message: celSentence(
      `${field}: `,
      cel(`${asked}.value()`),
      ` is not allowed, for MiMoPlatform limits.${list} has `,
      cel(named),
      "; ",
      cel(`(${entries}.value().size() == 0 ? 'leave it out' : 'take one of those')`),
      `, ${ask}`,
    ),
    refuse: (spec, { limits }) => {
      const allowed: readonly string[] | undefined = limits?.[list];
      const value = given(spec);
      if (allowed === undefined || value === undefined) return undefined;
      if (allowed.some((entry) => value === entry || (paths && value.startsWith(`${entry}/`))))
        return undefined;
      return `${value} is not allowed, for MiMoPlatform limits.${list} has ${allowed.join(", ") || "no entry"}; ${allowed.length === 0 ? "leave it out" : "take one of those"}, ${ask}`;
    },
  };
}

const pairRuntimes = variants.flatMap((variant) =>
  hardwareKinds.map((kind) => [`${variant} ${kind}`, defaultRuntime(variant, kind) ?? ""] as const),
);
const celRuntimes = `{${pairRuntimes.map(([pair, runtime]) => `'${pair}': '${runtime}'`).join(", ")}}`;

/** The repository of an OCI reference: without digest and tag. */
const repositoryOf = (reference: string): string => reference.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
const modelImage = "object.spec.model.image.reference.split('@')[0]";
/** As `repositoryOf`: a ':' behind the last '/' begins a tag, before it a port. */
const celModelRepository = `(${modelImage}.lastIndexOf(':') > ${modelImage}.lastIndexOf('/') ? ${modelImage}.substring(0, ${modelImage}.lastIndexOf(':')) : ${modelImage})`;

const tolerations = "object.spec.?scheduling.?tolerations.orValue([])";
const celForeignTaints = `${tolerations}.filter(toleration, !(toleration.?key.orValue('') in params.spec.limits.tolerationKeys))`;

const podTemplateKeys = (part: string): string =>
  `object.spec.?podTemplate.?${part}.orValue({}).map(key, key)`;
const celForeignKeys = `(${podTemplateKeys("labels")} + ${podTemplateKeys("annotations")}).filter(key, key.contains('/') && !(key.split('/')[0] in params.spec.limits.podMetadataDomains))`;
const allowedPaths = "params.spec.?allowedPodTemplatePaths.orValue([])";
const celForeignPatches = `object.spec.?podTemplate.?patches.orValue([]).filter(patch, !${allowedPaths}.exists(part, patch.path == part || patch.path.startsWith(part + '/')))`;

/** At most as many as the platform allows to one deployment. */
function groupsRule(
  field: string,
  what: string,
  given: (spec: DeploymentSpec) => number | undefined,
): LimitRule {
  const asked = `${optional("object", field)}.orValue(0)`;
  const most = "params.spec.?limits.?groupsPerDeployment";
  const allow = " that MiMoPlatform limits.groupsPerDeployment allows; write ";
  return {
    field,
    rule: `!${most}.hasValue() || ${asked} <= ${most}.value()`,
    // Fewer than before is a step in the right direction.
    unchanged: `${asked} <= ${optional("oldObject", field)}.orValue(0)`,
    message: celSentence(
      `${field}: `,
      cel(`string(${asked})`),
      `${what} more than the `,
      cel(`string(${most}.value())`),
      allow,
      cel(`string(${most}.value())`),
      ` or less, ${ask}`,
    ),
    refuse: (spec, { limits }) => {
      const bound = limits?.groupsPerDeployment;
      const count = given(spec) ?? 0;
      if (bound === undefined || count <= bound) return undefined;
      return `${count}${what} more than the ${bound}${allow}${bound} or less, ${ask}`;
    },
  };
}

const kindsNodes =
  "params.spec.?hardware.orValue([]).filter(nodes, nodes.kind == object.spec.hardware && has(nodes.namespaceLabels))";
const labels = "namespaceObject.metadata.?labels.orValue({})";

/** Everything that a MiMoPlatform holds deployments to, of what one deployment alone can break. */
export const limitRules: readonly LimitRule[] = [
  {
    field: "spec.hardware",
    rule: `${kindsNodes}.all(nodes, nodes.namespaceLabels.all(label, label in ${labels} && ${labels}[label] == nodes.namespaceLabels[label]))`,
    unchanged: untouched("spec.hardware"),
    message: celSentence(
      "spec.hardware: ",
      cel("object.spec.hardware"),
      " is for namespaces labelled ",
      cel(
        `${kindsNodes}[0].namespaceLabels.map(label, label + '=' + ${kindsNodes}[0].namespaceLabels[label]).join(', ')`,
      ),
      ", which ",
      cel("namespaceObject.metadata.name"),
      ` is not; take other hardware, ${ask} for the label`,
    ),
  },
  listRule({ field: "spec.variant", list: "variants", given: ({ variant }) => variant }),
  listRule({
    field: "spec.profile",
    list: "profiles",
    expression: "optional.of(object.spec.?profile.orValue('Balanced'))",
    given: ({ profile = "Balanced" }) => profile,
  }),
  listRule({
    field: "spec.runtime",
    list: "runtimes",
    expression: `optional.of(object.spec.?runtime.orValue(${celRuntimes}[object.spec.variant + ' ' + object.spec.hardware]))`,
    given: ({ runtime, variant, hardware }) => runtime ?? defaultRuntime(variant, hardware),
    // The default is the pair's.
    unchanged: ["spec.runtime", "spec.variant", "spec.hardware"].map(untouched).join(" && "),
  }),
  listRule({
    field: "spec.image.repository",
    list: "imageRepositories",
    paths: true,
    given: ({ image }) => image?.repository,
  }),
  listRule({
    field: "spec.model.image.reference",
    list: "imageRepositories",
    expression: `(has(object.spec.model) && has(object.spec.model.image) ? optional.of(${celModelRepository}) : optional.none())`,
    paths: true,
    given: ({ model }) => (model?.image === undefined ? undefined : repositoryOf(model.image.reference)),
  }),
  listRule({
    field: "spec.model.huggingFace.repository",
    list: "modelRepositories",
    paths: true,
    given: ({ model }) => model?.huggingFace?.repository,
  }),
  {
    field: "spec.model.hostPath.path",
    rule: "!object.spec.?model.?hostPath.hasValue() || params.spec.?allowedHostPaths.orValue([]).exists(folder, object.spec.model.hostPath.path == folder || object.spec.model.hostPath.path.startsWith(folder.endsWith('/') ? folder : folder + '/'))",
    unchanged: untouched("spec.model.hostPath.path"),
    message: celSentence(
      "spec.model.hostPath.path: ",
      ...hostPathRefusal(
        cel("object.spec.model.hostPath.path"),
        cel(
          "(params.spec.?allowedHostPaths.orValue([]).size() == 0 ? 'none are allowed' : params.spec.allowedHostPaths.join(', '))",
        ),
      ),
    ),
  },
  {
    field: "spec.podTemplate.patches",
    rule: `${celForeignPatches}.size() == 0`,
    unchanged: untouched("spec.podTemplate.patches"),
    message: celSentence(
      "spec.podTemplate.patches: ",
      ...podPatchRefusal(
        cel(`${celForeignPatches}[0].path`),
        cel(`(${allowedPaths}.size() == 0 ? 'no entry' : ${allowedPaths}.join(', '))`),
      ),
    ),
  },
  listRule({
    field: "spec.scheduling.priorityClassName",
    list: "priorityClassNames",
    given: ({ scheduling }) => scheduling?.priorityClassName,
  }),
  {
    field: "spec.scheduling.tolerations",
    rule: `!params.spec.?limits.?tolerationKeys.hasValue() || ${celForeignTaints}.size() == 0`,
    unchanged: untouched("spec.scheduling.tolerations"),
    message: celSentence(
      "spec.scheduling.tolerations: ",
      cel(`${celForeignTaints}[0].?key.orValue('every taint')`),
      " may not be tolerated, for MiMoPlatform limits.tolerationKeys has ",
      cel(
        "(params.spec.limits.tolerationKeys.size() == 0 ? 'no entry' : params.spec.limits.tolerationKeys.join(', '))",
      ),
      `; leave it out, ${ask}`,
    ),
    refuse: ({ scheduling }, { limits }) => {
      const allowed = limits?.tolerationKeys;
      if (allowed === undefined) return undefined;
      const foreign = scheduling?.tolerations?.find(({ key = "" }) => !allowed.includes(key));
      if (foreign === undefined) return undefined;
      return `${foreign.key ?? "every taint"} may not be tolerated, for MiMoPlatform limits.tolerationKeys has ${allowed.join(", ") || "no entry"}; leave it out, ${ask}`;
    },
  },
  listRule({
    field: "spec.scheduling.queue",
    list: "queues",
    given: ({ scheduling }) => scheduling?.queue,
  }),
  {
    field: "spec.podTemplate",
    rule: `!params.spec.?limits.?podMetadataDomains.hasValue() || ${celForeignKeys}.size() == 0`,
    unchanged: untouched("spec.podTemplate"),
    message: celSentence(
      "spec.podTemplate: ",
      cel(`${celForeignKeys}[0]`),
      " may not be set on pods, for MiMoPlatform limits.podMetadataDomains has ",
      cel(
        "(params.spec.limits.podMetadataDomains.size() == 0 ? 'no entry' : params.spec.limits.podMetadataDomains.join(', '))",
      ),
      `; leave it out, ${ask}`,
    ),
    refuse: ({ podTemplate = {} }, { limits }) => {
      const allowed = limits?.podMetadataDomains;
      if (allowed === undefined) return undefined;
      const keys = [...Object.keys(podTemplate.labels ?? {}), ...Object.keys(podTemplate.annotations ?? {})];
      const foreign = keys.find((key) => key.includes("/") && !allowed.includes(key.split("/")[0] ?? ""));
      if (foreign === undefined) return undefined;
      return `${foreign} may not be set on pods, for MiMoPlatform limits.podMetadataDomains has ${allowed.join(", ") || "no entry"}; leave it out, ${ask}`;
    },
  },
  groupsRule("spec.replicas", " serving groups are", ({ replicas }) => replicas),
  groupsRule("spec.rollout.maxSurge", " more serving groups are", ({ rollout }) => rollout?.maxSurge),
];

/** Why the platform doesn't want this request, as far as that can be told without its namespace. */
export const limitRefusals = (spec: DeploymentSpec, platform: PlatformSpec): Refusal[] =>
  limitRules.flatMap(({ field, refuse }) => {
    const message = refuse?.(spec, platform);
    return message === undefined ? [] : [{ code: "NotAllowed", field, message }];
  });
