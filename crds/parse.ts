import { z } from "zod";
import { type DeploymentSpec, deploymentSpec } from "./deployment.ts";
import { type NameRule, nameRules, platformNameRules } from "./metadata.ts";
import { apiGroup, apiVersion } from "./names.ts";
import { type PlatformSpec, platformSpec } from "./platform.ts";
import { issueProblem, type Problem, unknownFieldProblem } from "./problems.ts";
import { isLabelKey, labelMap, words } from "./schema.ts";
import { unknownFields } from "./unknown-fields.ts";

export type Parsed<T> =
  | ({ readonly ok: true } & T)
  | { readonly ok: false; readonly problems: readonly [Problem, ...Problem[]] };

/** A MiMoDeployment document as the API server would take it: whole, with what it leaves to the schema filled in. */
export function parseDeployment(
  document: unknown,
): Parsed<{ name: string; namespace: string; spec: DeploymentSpec }> {
  const parsed = parseDocument(deploymentDocument, document);
  if (!parsed.ok) return parsed;
  const { metadata, spec } = parsed.value;
  return { ok: true, name: metadata.name, namespace: metadata.namespace ?? "default", spec };
}

/** The MiMoPlatform document. */
export function parsePlatform(document: unknown): Parsed<{ name: string; spec: PlatformSpec }> {
  const parsed = parseDocument(platformDocument, document);
  if (!parsed.ok) return parsed;
  const { metadata, spec } = parsed.value;
  return { ok: true, name: metadata.name, spec };
}

const unchecked = z.unknown().optional();

const metadata = (rules: readonly NameRule[]) =>
  z.object({
    name: z.string().superRefine((name, context) => {
      for (const { check, message } of rules) if (!check(name)) context.addIssue({ code: "custom", message });
    }),
    labels: labelMap("metadata.labels", 1000).optional(),
    annotations: z
      .record(z.string(), z.string())
      .refine((map) => Object.keys(map).every((key) => isLabelKey(key.toLowerCase())), {
        message: 'every key of metadata.annotations has the form of "example.com/team"',
      })
      .optional(),
    // What the API server writes and a document read from it carries.
    creationTimestamp: unchecked,
    deletionGracePeriodSeconds: unchecked,
    deletionTimestamp: unchecked,
    finalizers: unchecked,
    generateName: unchecked,
    generation: unchecked,
    managedFields: unchecked,
    ownerReferences: unchecked,
    resourceVersion: unchecked,
    selfLink: unchecked,
    uid: unchecked,
  });

const namespace = words(63).refine((name) => /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name), {
  message: 'metadata.namespace is lower case letters, digits and "-", for example "team-a"',
});

const group = { apiVersion: z.literal(`${apiGroup}/${apiVersion}`), status: unchecked };

const deploymentDocument = z.object({
  ...group,
  kind: z.literal("MiMoDeployment"),
  metadata: metadata(nameRules).extend({ namespace: namespace.optional() }),
  spec: deploymentSpec,
});

const platformDocument = z.object({
  ...group,
  kind: z.literal("MiMoPlatform"),
  metadata: metadata(platformNameRules),
  spec: platformSpec,
});

function parseDocument<S extends z.ZodObject>(schema: S, document: unknown): Parsed<{ value: z.output<S> }> {
  const given = withoutNulls(document);
  const parsed = schema.safeParse(given, { reportInput: true });
  const [first, ...others] = [
    ...unknownFields(schema, given).map(unknownFieldProblem),
    ...(parsed.success ? [] : telling(parsed.error.issues).map(issueProblem)),
  ];
  if (first !== undefined) return { ok: false, problems: [first, ...others] };
  if (!parsed.success) throw parsed.error;
  return { ok: true, value: parsed.data };
}

/** Without what zod says a second time: the bounds of a double, and that empty text hasn't the form it should have. */
function telling(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] {
  const own = issues.filter(
    (issue) =>
      !(issue.code === "too_big" && issue.maximum === Number.MAX_SAFE_INTEGER) &&
      !(issue.code === "too_small" && issue.minimum === Number.MIN_SAFE_INTEGER),
  );
  const empty = own.filter(({ code, input }) => code === "too_small" && input === "").map(({ path }) => path);
  return own.filter(({ code, path }) => code !== "custom" || !empty.some((other) => isSame(path, other)));
}

const isSame = (one: readonly PropertyKey[], other: readonly PropertyKey[]): boolean =>
  one.length === other.length && one.every((step, index) => step === other[index]);

/** The API server takes a field that is null for one that is absent; in a list, null is a value, and wrong. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, withoutNulls(item)]),
  );
}
