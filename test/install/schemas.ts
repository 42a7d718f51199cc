/** JSON schemas of what a real API server says it serves, in the files that kubeconform looks for. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type ApiAccess, callApi } from "../controlplane/api.ts";

const kinds = z.array(z.object({ group: z.string(), version: z.string(), kind: z.string() })).default([]);
const definition = z.looseObject({
  properties: z.record(z.string(), z.unknown()).optional(),
  "x-kubernetes-group-version-kind": kinds,
});
const served = z.object({ definitions: z.record(z.string(), definition) });

/** Where kubeconform finds the schema of a kind. */
export const schemaLocation = (folder: string): string =>
  join(folder, "{{.Group}}_{{.ResourceKind}}_{{.ResourceAPIVersion}}.json");

/** Writes a schema for every kind that the API server serves; a field that it doesn't have is an error. */
export async function writeSchemas(server: ApiAccess, folder: string): Promise<void> {
  const { definitions } = served.parse(await callApi(server, "/openapi/v2"));
  const strict = Object.fromEntries(
    Object.entries(definitions).map(([name, { "x-kubernetes-group-version-kind": _, ...schema }]) => [
      name,
      exact(name, schema),
    ]),
  );
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "definitions.json"), JSON.stringify({ definitions: strict }));
  for (const [name, schema] of Object.entries(definitions)) {
    for (const { group, version, kind } of schema["x-kubernetes-group-version-kind"]) {
      // kubeconform takes "v1" for the group of what has none.
      const file = `${group || version}_${kind.toLowerCase()}_${version}.json`;
      const $ref = `definitions.json#/definitions/${name}`;
      await writeFile(join(folder, file), JSON.stringify({ $ref }));
    }
  }
}

/** OpenAPI's v2 has no word for "a number or text", and says text. */
const numberOrText = new Set([
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
  "io.k8s.apimachinery.pkg.api.resource.Quantity",
]);

function exact(name: string, schema: object): unknown {
  if (numberOrText.has(name)) return { type: ["string", "number"] };
  return closed(schema);
}

/** Every object with named fields has those and no others. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== "object" || node === null) return node;
  const entries = Object.entries(node).map(([key, value]) => [key, closed(value)]);
  const isOpen = "additionalProperties" in node || "x-kubernetes-preserve-unknown-fields" in node;
  if ("type" in node && node.type === "object" && "properties" in node && !isOpen)
    entries.push(["additionalProperties", false]);
  return Object.fromEntries(entries);
}
