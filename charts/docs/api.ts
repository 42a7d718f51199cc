import { z } from "zod";
import { apiGroup, apiVersion } from "../../crds/names.ts";
import { customResourceDefinitions } from "../crds.ts";
import { bullets, code, page, table } from "./markdown.ts";

/** What the page says of a field: the part of a structural schema that a person asks for. */
const field = z.object({
  type: z.string().optional(),
  description: z.string().default(""),
  format: z.string().optional(),
  default: z.json().optional(),
  enum: z.array(z.string()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  maxLength: z.number().optional(),
  maxItems: z.number().optional(),
  maxProperties: z.number().optional(),
  required: z.array(z.string()).default([]),
  get properties() {
    return z.record(z.string(), field).default({});
  },
  get items() {
    return field.optional();
  },
  get additionalProperties() {
    return field.optional();
  },
  "x-kubernetes-list-map-keys": z.array(z.string()).default([]),
  "x-kubernetes-validations": z.array(z.object({ message: z.string() })).default([]),
});
type Field = z.output<typeof field>;

const definition = z.object({
  spec: z.object({
    names: z.object({
      kind: z.string(),
      shortNames: z.array(z.string()).default([]),
      categories: z.array(z.string()).default([]),
    }),
    scope: z.string(),
    versions: z.tuple([
      z.object({
        schema: z.object({ openAPIV3Schema: field }),
        subresources: z.record(z.string(), z.unknown()).default({}),
        additionalPrinterColumns: z.array(
          z.object({ name: z.string(), description: z.string(), priority: z.number().optional() }),
        ),
      }),
    ]),
  }),
});

/** docs/api.md: every field of both kinds, from the definitions that the API server gets. */
export function apiPage(): string {
  return page("generate", [
    "# API reference",
    `Both kinds are of \`${apiGroup}/${apiVersion}\`. Every field below is checked by the API server: a request that breaks a bound or a rule is refused at \`kubectl apply\` with the rule's message, and \`mimo plan\` says the same without a cluster. kubectl refuses fields that don't exist, too. "Needed" fields have to be written wherever the object that holds them is.`,
    ...customResourceDefinitions().flatMap((crd) => kindBlocks(definition.parse(crd))),
  ]);
}

function kindBlocks({ spec: { names, scope, versions } }: z.output<typeof definition>): string[] {
  const [{ schema, subresources, additionalPrinterColumns }] = versions;
  const root = schema.openAPIV3Schema;
  const { spec, status } = root.properties;
  if (spec === undefined) throw new Error(`${names.kind} has no spec`);
  return [
    `## ${names.kind}`,
    root.description,
    bullets([
      `Scope: ${scope}.`,
      ...(names.shortNames.length > 0 ? [`Short names: ${names.shortNames.map(code).join(", ")}.`] : []),
      ...(names.categories.length > 0 ? [`Categories: ${names.categories.map(code).join(", ")}.`] : []),
      ...(Object.keys(subresources).length > 0
        ? [`Subresources: ${Object.keys(subresources).map(code).join(", ")}.`]
        : []),
      `Columns of \`kubectl get\`: ${additionalPrinterColumns.map(({ name, priority }) => (priority === 1 ? `${name} (with \`-o wide\`)` : name)).join(", ")}.`,
    ]),
    `### ${names.kind} metadata`,
    bullets(messagesOf(root)),
    `### ${names.kind} spec`,
    fieldTable(spec, "spec"),
    ...rulesBlocks(spec),
    ...(status === undefined ? [] : [`### ${names.kind} status`, fieldTable(status, "status")]),
  ];
}

/** Rules on the spec as a whole: what the catalogue knows to be impossible. */
function rulesBlocks(spec: Field): string[] {
  const messages = messagesOf(spec);
  if (messages.length === 0) return [];
  return ["Refused at `kubectl apply`, because the catalogue knows that it can't work:", bullets(messages)];
}

const messagesOf = (node: Field): string[] => node["x-kubernetes-validations"].map(({ message }) => message);

function fieldTable(root: Field, path: string): string {
  return table(["Field", "Type", "Bounds", "Description"], [...fieldRows(root, path)]);
}

function* fieldRows(parent: Field, path: string): Generator<string[]> {
  for (const [name, child] of Object.entries(parent.properties)) {
    const here = `${path}.${name}`;
    const needed = parent.required.includes(name) ? " (needed)" : "";
    const inner = child.items ?? child.additionalProperties;
    const rules = [...messagesOf(child), ...(inner === undefined ? [] : messagesOf(inner))].map(
      (message) => `*${message}.*`,
    );
    yield [
      `${code(here)}${needed}`,
      typeOf(child),
      boundsOf(child).join("; "),
      [child.description, ...rules].filter((part) => part !== "").join(" "),
    ];
    yield* fieldRows(child, here);
    if (child.items !== undefined) yield* fieldRows(child.items, `${here}[]`);
  }
}

function typeOf({ type, format, items, additionalProperties }: Field): string {
  if (items !== undefined) return `list of ${typeOf(items)}`;
  if (additionalProperties !== undefined) return `map of ${typeOf(additionalProperties)}`;
  return format === "date-time" ? "time" : (type ?? "any");
}

function boundsOf(node: Field): string[] {
  const range =
    node.minimum !== undefined && node.maximum !== undefined
      ? [`${node.minimum} to ${node.maximum}`]
      : node.minimum !== undefined
        ? [`${node.minimum} or more`]
        : [];
  return [
    ...(node.enum === undefined ? [] : [node.enum.map(code).join(", ")]),
    ...range,
    ...(node.maxLength === undefined ? [] : [`at most ${node.maxLength} characters`]),
    ...(node.maxItems === undefined ? [] : [`at most ${node.maxItems} items`]),
    ...(node.maxProperties === undefined ? [] : [`at most ${node.maxProperties} entries`]),
    ...(node.items === undefined ? [] : boundsOf(node.items).map((bound) => `each ${bound}`)),
    ...(node["x-kubernetes-list-map-keys"].length === 0
      ? []
      : [`one per ${node["x-kubernetes-list-map-keys"].map(code).join(", ")}`]),
    ...(node.default === undefined ? [] : [`default ${code(JSON.stringify(node.default))}`]),
  ];
}
