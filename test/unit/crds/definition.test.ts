import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { customResourceDefinitions } from "../../../charts/crds.ts";
import { generatedFiles } from "../../../charts/generate.ts";
import { mimoDeploymentDefinition } from "../../../crds/definition.ts";
import { deploymentSpec } from "../../../crds/deployment.ts";
import { platformSpec } from "../../../crds/platform.ts";
import { type StructuralSchema, structuralSchema } from "../../../crds/structural.ts";

const folder = new URL("../../../charts/generated/", import.meta.url);

describe("the generated files", () => {
  test.each(Object.entries(generatedFiles))(
    "%s is what the code makes of it (npm run generate)",
    async (name, content) => {
      expect(await readFile(new URL(name, folder), "utf8")).toBe(content());
    },
  );

  test("crds.yaml reads back as the definitions", () => {
    const documents = parseAllDocuments(generatedFiles["crds.yaml"]?.() ?? "");
    expect(documents.map((document) => document.toJS())).toEqual(customResourceDefinitions());
  });
});

describe("a definition", () => {
  test.each(customResourceDefinitions().map((definition) => [definition.metadata.name, definition]))(
    "%s stays below 200 kB, so that every client can apply it",
    (_name, definition) => {
      expect(JSON.stringify(definition).length).toBeLessThan(200_000);
    },
  );

  test.each([
    ["MiMoDeployment", deploymentSpec],
    ["MiMoPlatform", platformSpec],
  ])("explains every field of a %s in a sentence", (_kind, spec) => {
    const unexplained = [...undescribed(structuralSchema(spec), "spec")];
    expect(unexplained).toEqual([]);
  });

  test("carries the catalogue's rules beside those of the schema, on the spec", () => {
    const impossible = { rule: "self.variant != 'x'", message: "not x", fieldPath: ".hardware" };
    const { spec } = mimoDeploymentDefinition([impossible]);
    const rulesOfSpec = z.object({
      versions: z.tuple([
        z.object({
          schema: z.object({
            openAPIV3Schema: z.object({
              properties: z.object({ spec: z.object({ "x-kubernetes-validations": z.array(z.unknown()) }) }),
            }),
          }),
        }),
      ]),
    });
    const [version] = rulesOfSpec.parse(spec).versions;
    expect(version.schema.openAPIV3Schema.properties.spec["x-kubernetes-validations"]).toContainEqual(
      impossible,
    );
  });
});

/** Paths of the fields without a description of 10 to 200 characters that ends in a full stop. */
function* undescribed(schema: StructuralSchema, path: string): Generator<string> {
  const properties = z.record(z.string(), z.record(z.string(), z.json())).parse(schema.properties ?? {});
  for (const [name, field] of Object.entries(properties)) {
    const here = `${path}.${name}`;
    if (!/^.{9,199}\.$/.test(String(field.description))) yield here;
    yield* undescribed(field, here);
    if (field.type === "array")
      yield* undescribed(z.record(z.string(), z.json()).parse(field.items), `${here}[]`);
  }
}
