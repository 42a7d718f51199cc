import { z } from "zod";

const validations = "x-kubernetes-validations";

/** One validation rule, said twice: in CEL for the API server, in TypeScript for the command line. Tests hold the two together. */
export interface Rule<T> {
  readonly rule: string;
  readonly message: string;
  readonly check: (value: T) => boolean;
  /** Field below the schema that the message is about, in CEL's notation: ".image.tag". */
  readonly fieldPath?: string;
}

/** Attaches rules to a schema: zod refines with `check`, the CRD carries `rule` and `message`. */
export function withRules<S extends z.ZodType>(schema: S, rules: readonly Rule<z.output<S>>[]): S {
  const refined = schema.superRefine((value, context) => {
    for (const { check, message, fieldPath } of rules) {
      if (check(value)) continue;
      context.addIssue({ code: "custom", message, path: fieldPath?.split(".").filter(Boolean) ?? [] });
    }
  });
  const meta = schema.meta() ?? {};
  const earlier = meta[validations];
  const own = rules.map(({ rule, message, fieldPath }) =>
    fieldPath === undefined ? { rule, message } : { rule, message, fieldPath },
  );
  return refined.meta({ ...meta, [validations]: [...(Array.isArray(earlier) ? earlier : []), ...own] });
}

/** A bounded string whose form is checked by CEL rather than by `pattern`, so that the refusal says what to write. RE2 syntax. */
export function text(options: { max: number; pattern: RegExp; message: string }): z.ZodString {
  const source = options.pattern.source.replaceAll("\\", "\\\\");
  return withRules(z.string().min(1).max(options.max), [
    {
      rule: `self.matches('${source}')`,
      message: options.message,
      check: (value) => options.pattern.test(value),
    },
  ]);
}

export const int32 = (minimum: number, maximum: number): z.ZodNumber =>
  z.int32().min(minimum).max(maximum).meta({ format: "int32" });

/** A list that server-side apply merges item by item, by the value of `key`. */
export const listByKey = <S extends z.ZodType>(item: S, key: string, maxItems: number): z.ZodArray<S> =>
  z
    .array(item)
    .max(maxItems)
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key] });

export const objectName = (what: string): z.ZodString =>
  text({
    max: 253,
    pattern: /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
    message: `${what} is the name of an object: lower case letters, digits, '-' and '.', for example "my-object"`,
  });

/** Bytes as Kubernetes writes them. */
export const bytesQuantity = (field: string): z.ZodString =>
  text({
    max: 16,
    pattern: /^[1-9][0-9]{0,5}(Mi|Gi|Ti)$/,
    message: `${field} is a whole number with Mi, Gi or Ti, for example "512Gi"`,
  });

const labelKey = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const celPattern = (pattern: RegExp): string => pattern.source.replaceAll("\\", "\\\\");

/** A bounded map of label keys to label values. */
export const labelMap = (field: string, maxProperties: number): z.ZodRecord<z.ZodString, z.ZodString> =>
  withRules(z.record(z.string(), z.string().max(63)).meta({ maxProperties }), [
    {
      rule: `self.all(key, key.size() <= 316 && key.matches('${celPattern(labelKey)}'))`,
      message: `every key of ${field} is a label key, for example "nvidia.com/gpu.product"`,
      check: (map) => Object.keys(map).every((key) => key.length <= 316 && labelKey.test(key)),
    },
    {
      rule: `self.all(key, self[key].matches('${celPattern(labelValue)}'))`,
      message: `every value of ${field} is a label value: at most 63 letters, digits, '-', '_' and '.'`,
      check: (map) => Object.values(map).every((value) => labelValue.test(value)),
    },
  ]);

/** Names one key of a Secret in the same namespace. The operator never reads it. */
export const secretKey = (field: string) =>
  z.object({
    name: objectName(`${field}.name`).describe("Name of the Secret, in the same namespace."),
    key: text({
      max: 253,
      pattern: /^[-._a-zA-Z0-9]+$/,
      message: `${field}.key is a key of the Secret: letters, digits, '-', '_' and '.', for example "token"`,
    }).describe("Key inside the Secret."),
  });

export const toleration = z.object({
  key: z
    .string()
    .max(316)
    .optional()
    .describe("Taint key; empty with operator Exists tolerates every taint."),
  operator: z.enum(["Exists", "Equal"]).optional().describe("Equal when absent."),
  value: z.string().max(63).optional().describe("Taint value, with operator Equal."),
  effect: z
    .enum(["NoSchedule", "PreferNoSchedule", "NoExecute"])
    .optional()
    .describe("Every effect when absent."),
  tolerationSeconds: int32(0, 86_400).optional().describe("Only with effect NoExecute."),
});
export type Toleration = z.output<typeof toleration>;
