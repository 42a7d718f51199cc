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

/** CEL's string literal of a pattern. Flags have no place in it. */
function celPattern(pattern: RegExp): string {
  if (pattern.flags !== "") throw new Error(`${pattern}: RE2 in CEL gets the pattern without its flags`);
  return `'${pattern.source.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** A bounded string. The API server counts code points, where zod's own `max` counts UTF-16 units. */
export const words = (max: number): z.ZodString =>
  z
    .string()
    .refine((value) => value.length <= max || [...value].length <= max, {
      message: `takes at most ${max} characters`,
      params: { problem: "TooLong" },
    })
    .meta({ maxLength: max });

/** A bounded string whose form is checked by CEL rather than by `pattern`, so that the refusal says what to write. RE2 syntax. */
export function text(options: { max: number; pattern: RegExp; message: string }): z.ZodString {
  return withRules(words(options.max).min(1), [
    {
      rule: `self.matches(${celPattern(options.pattern)})`,
      message: options.message,
      check: (value) => options.pattern.test(value),
    },
  ]);
}

export const int32 = (minimum: number, maximum: number): z.ZodNumber =>
  z.int32().min(minimum).max(maximum).meta({ format: "int32" });

/** The API server refuses a second item with the same key by the list's type; this is zod's twin of it. */
function withoutDuplicates<S extends z.ZodType>(
  list: z.ZodArray<S>,
  keyOf: (item: z.output<S>) => unknown,
  where: readonly string[],
): z.ZodArray<S> {
  return list.superRefine((items, context) => {
    const seen = new Set<unknown>();
    for (const [index, item] of items.entries()) {
      const key = keyOf(item);
      if (seen.has(key))
        context.addIssue({
          code: "custom",
          message: `${JSON.stringify(key)} is in the list twice: keep one of them`,
          path: [index, ...where],
          params: { problem: "Duplicate" },
        });
      seen.add(key);
    }
  });
}

/** A list that server-side apply merges item by item, by the value of `key`. */
export function listByKey<Shape extends z.core.$ZodLooseShape, Key extends keyof Shape & string>(
  item: z.ZodObject<Shape>,
  key: Key,
  maxItems: number,
): z.ZodArray<z.ZodObject<Shape>> {
  const list = z.array(item).max(maxItems);
  return withoutDuplicates(list, (value) => Object.entries(value).find(([name]) => name === key)?.[1], [
    key,
  ]).meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key] });
}

/** A list of different values; server-side apply merges it value by value. */
export const setOf = <S extends z.ZodType>(item: S, maxItems: number): z.ZodArray<S> =>
  withoutDuplicates(z.array(item).max(maxItems), (value) => value, []).meta({
    "x-kubernetes-list-type": "set",
  });

/** A map of text to text. zod has no bound for the number of keys. */
export const wordMap = (maxProperties: number, valueMax: number): z.ZodRecord<z.ZodString, z.ZodString> =>
  z
    .record(z.string(), words(valueMax))
    .refine((map) => Object.keys(map).length <= maxProperties, {
      message: `takes at most ${maxProperties} entries`,
      params: { problem: "TooMany" },
    })
    .meta({ maxProperties });

const subdomain = /[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/.source;

export const objectName = (what: string): z.ZodString =>
  text({
    max: 253,
    pattern: new RegExp(`^${subdomain}$`),
    message: `${what} is the name of an object: lower case letters, digits, '-' and '.', for example "my-object"`,
  });

/** Bytes as Kubernetes writes them. */
export const bytesQuantity = (field: string): z.ZodString =>
  text({
    max: 16,
    pattern: /^[1-9][0-9]{0,5}(Mi|Gi|Ti)$/,
    message: `${field} is a whole number with Mi, Gi or Ti, for example "512Gi"`,
  });

/** An absolute path of a node. Kubernetes refuses "..", and a prefix on a list of allowed folders must mean what it says. */
export const absolutePath = (field: string): z.ZodString =>
  withRules(
    text({
      max: 512,
      pattern: /^\/[^:]*$/,
      message: `${field} is an absolute path without ':', for example "/mnt/models"`,
    }),
    [withoutBacksteps(field)],
  );

/** A path inside a volume. */
export const relativePath = (field: string): z.ZodString =>
  withRules(
    text({
      max: 512,
      pattern: /^[A-Za-z0-9_.-][A-Za-z0-9_./-]*$/,
      message: `${field} is a path inside the volume without a leading '/', for example "XiaomiMiMo/MiMo-V2.5"`,
    }),
    [withoutBacksteps(field)],
  );

const backstep = /(^|\/)\.\.(\/|$)/;
const withoutBacksteps = (field: string): Rule<string> => ({
  rule: `!self.matches(${celPattern(backstep)})`,
  message: `${field} may not step back with '..': write the folder itself`,
  check: (value) => !backstep.test(value),
});

const labelKeyPattern = new RegExp(`^(${subdomain}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`);
const labelValuePattern = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
/** 253 of the domain, '/', 63 of the name. */
const labelKeyMax = 317;

export const isLabelKey = (key: string): boolean =>
  key.length <= labelKeyMax && key.indexOf("/") <= 253 && labelKeyPattern.test(key);
const celIsLabelKey = (key: string): string =>
  `${key}.size() <= ${labelKeyMax} && ${key}.indexOf('/') <= 253 && ${key}.matches(${celPattern(labelKeyPattern)})`;

export const labelKey = (field: string): z.ZodString =>
  withRules(words(labelKeyMax), [
    {
      rule: celIsLabelKey("self"),
      message: `${field} is a label key, for example "nvidia.com/gpu.clique"`,
      check: isLabelKey,
    },
  ]);

/** A bounded map of label keys to label values. */
export const labelMap = (field: string, maxProperties: number): z.ZodRecord<z.ZodString, z.ZodString> =>
  withRules(wordMap(maxProperties, 63), [
    {
      rule: `self.all(key, ${celIsLabelKey("key")})`,
      message: `every key of ${field} is a label key, for example "nvidia.com/gpu.product"`,
      check: (map) => Object.keys(map).every(isLabelKey),
    },
    {
      rule: `self.all(key, self[key].matches(${celPattern(labelValuePattern)}))`,
      message: `every value of ${field} is a label value: at most 63 letters, digits, '-', '_' and '.'`,
      check: (map) => Object.values(map).every((value) => labelValuePattern.test(value)),
    },
  ]);

/** A bounded map of annotation keys, which have the form of label keys, to any text. */
export const annotationMap = (field: string, maxProperties: number): z.ZodRecord<z.ZodString, z.ZodString> =>
  withRules(wordMap(maxProperties, 4096), [
    {
      rule: `self.all(key, ${celIsLabelKey("key")})`,
      message: `every key of ${field} is an annotation key, for example "example.com/team"`,
      check: (map) => Object.keys(map).every(isLabelKey),
    },
  ]);

const deviceName = /^([a-z0-9.-]+\/[A-Za-z0-9._-]+|hugepages-(2Mi|1Gi))$/;
const deviceCount = /^[1-9][0-9]{0,2}$/;
const hugepagesSize = /^[1-9][0-9]{0,5}(Mi|Gi)$/;
const isHugepages = (name: string): boolean => name.startsWith("hugepages-");

/** A bounded map of extended resources to counts, and of hugepages to sizes, as in a container's limits. */
export const resourceMap = (field: string, maxProperties: number): z.ZodRecord<z.ZodString, z.ZodString> =>
  withRules(wordMap(maxProperties, 16), [
    {
      rule: `self.all(name, name.size() <= 128 && name.matches(${celPattern(deviceName)}))`,
      message: `every key of ${field} is an extended resource with its domain, for example "rdma/ib", or hugepages-2Mi or hugepages-1Gi`,
      check: (map) => Object.keys(map).every((name) => name.length <= 128 && deviceName.test(name)),
    },
    {
      rule: "!('nvidia.com/gpu' in self)",
      message: `${field} may not hold nvidia.com/gpu: the recipe says how many GPUs a pod gets; remove it`,
      check: (map) => !Object.hasOwn(map, "nvidia.com/gpu"),
    },
    {
      rule: `self.all(name, name.startsWith('hugepages-') ? self[name].matches(${celPattern(hugepagesSize)}) : self[name].matches(${celPattern(deviceCount)}))`,
      message: `every value of ${field} is a count from "1" to "999" in quotes, or for hugepages a size such as "5120Mi"`,
      check: (map) =>
        Object.entries(map).every(([name, value]) =>
          (isHugepages(name) ? hugepagesSize : deviceCount).test(value),
        ),
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

/** The same limits as a pod's: a toleration that the pod could not have is refused here, not when the pod is made. */
export const toleration = withRules(
  z.object({
    key: words(labelKeyMax)
      .optional()
      .describe("Taint key; without it, operator Exists tolerates every taint."),
    operator: z.enum(["Exists", "Equal"]).optional().describe("Equal when absent."),
    value: words(63).optional().describe("Taint value, with operator Equal."),
    effect: z
      .enum(["NoSchedule", "PreferNoSchedule", "NoExecute"])
      .optional()
      .describe("Every effect when absent."),
    tolerationSeconds: int32(0, 86_400).optional().describe("Only with effect NoExecute."),
  }),
  [
    {
      rule: `!has(self.key) || self.key == '' || (${celIsLabelKey("self.key")})`,
      message: 'a toleration\'s key is a taint key, for example "nvidia.com/gpu"',
      check: ({ key }) => key === undefined || key === "" || isLabelKey(key),
      fieldPath: ".key",
    },
    {
      rule: "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')",
      message: "a toleration without key needs operator: Exists; name the taint's key otherwise",
      check: ({ key, operator }) => (key !== undefined && key !== "") || operator === "Exists",
    },
    {
      rule: "!has(self.value) || self.value == '' || !has(self.operator) || self.operator != 'Exists'",
      message: "a toleration with operator Exists takes no value: remove value, or write operator: Equal",
      check: ({ value, operator }) => value === undefined || value === "" || operator !== "Exists",
      fieldPath: ".value",
    },
    {
      rule: `!has(self.value) || self.value.matches(${celPattern(labelValuePattern)})`,
      message: "a toleration's value is a taint value: at most 63 letters, digits, '-', '_' and '.'",
      check: ({ value }) => value === undefined || labelValuePattern.test(value),
      fieldPath: ".value",
    },
    {
      rule: "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
      message: "tolerationSeconds needs effect: NoExecute beside it",
      check: ({ tolerationSeconds, effect }) => tolerationSeconds === undefined || effect === "NoExecute",
      fieldPath: ".tolerationSeconds",
    },
  ],
);
export type Toleration = z.output<typeof toleration>;
