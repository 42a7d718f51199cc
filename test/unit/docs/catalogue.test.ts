import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { hardwareKinds, profiles, variants } from "../../../crds/names.ts";
import { parseDeployment } from "../../../crds/parse.ts";
import { tableRows } from "./markdown.ts";

const examples = resolve(import.meta.dirname, "../../../examples");
const read = (path: string): string => readFileSync(join(examples, path), "utf8");

test("examples/README.md names every example, save the platforms of single clouds", () => {
  const named = tableRows(read("README.md")).map(({ File = "" }) => /\((.+)\)/.exec(File)?.[1]);
  const files = globSync("*.yaml", { cwd: examples });
  expect(named).toEqual(expect.arrayContaining(files.filter((file) => !file.startsWith("platform-"))));
  expect(named).toEqual(expect.arrayContaining(["platform-limits.yaml", "backstage/template.yaml"]));
});

describe("the Backstage template", () => {
  const field = z.looseObject({ enum: z.array(z.string()).optional(), default: z.json().optional() });
  const template = z
    .object({
      apiVersion: z.literal("scaffolder.backstage.io/v1beta3"),
      kind: z.literal("Template"),
      spec: z.object({
        parameters: z.tuple([
          z.object({ required: z.array(z.string()), properties: z.record(z.string(), field) }),
        ]),
        steps: z.array(
          z.object({ id: z.string(), action: z.string(), input: z.record(z.string(), z.unknown()) }),
        ),
      }),
    })
    .parse(parse(read("backstage/template.yaml")));
  const [{ properties, required }] = template.spec.parameters;
  const [write] = template.spec.steps;

  test("offers what the catalogue has", () => {
    expect(properties.variant?.enum).toEqual(variants);
    expect(properties.hardware?.enum).toEqual(hardwareKinds);
    expect(properties.profile?.enum).toEqual(profiles);
  });

  test("hands all that it asks for to the skeleton, which has a place for it", () => {
    const values = Object.keys(
      z.object({ values: z.record(z.string(), z.string()) }).parse(write?.input).values,
    );
    expect(values).toEqual(Object.keys(properties));
    const text = read("backstage/skeleton/deployment.yaml");
    const places = [...text.matchAll(/\$\{\{ values\.(\w+) \}\}/g)].map(([, name]) => name);
    expect(places).toEqual(values);
    expect(required.every((name) => values.includes(name))).toBe(true);
  });

  test("makes a MiMoDeployment of the least that somebody has to say", () => {
    const said: Record<string, unknown> = {
      name: "chat",
      namespace: "team-a",
      variant: "MiMo-V2.5",
      hardware: "H200",
    };
    const filled = read("backstage/skeleton/deployment.yaml").replaceAll(
      /\$\{\{ values\.(\w+) \}\}/g,
      (_, name: string) => String(said[name] ?? properties[name]?.default),
    );
    expect(parseDeployment(parse(filled))).toMatchObject({
      ok: true,
      name: "chat",
      spec: { profile: "Balanced", replicas: 1 },
    });
  });
});
