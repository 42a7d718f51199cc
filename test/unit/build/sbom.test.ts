import { expect, test } from "vitest";
import { z } from "zod";
import type { BundledPackage } from "../../../build/licences.ts";
import { billOfMaterials } from "../../../build/sbom.ts";
import packageJson from "../../../package.json" with { type: "json" };

const packages: readonly BundledPackage[] = [
  { name: "@kubernetes/client-node", version: "2.0.1", licence: "Apache-2.0", texts: [] },
  { name: "undici", version: "8.12.4", licence: "MIT", texts: [] },
  // In another folder once more.
  { name: "undici", version: "8.12.4", licence: "MIT", texts: [] },
  { name: "undici", version: "7.0.0", licence: "(MIT OR CC0-1.0)", texts: [] },
];

const bill = z.object({
  bomFormat: z.literal("CycloneDX"),
  specVersion: z.string(),
  metadata: z.object({ component: z.object({ purl: z.string() }) }),
  components: z.array(
    z.object({
      "bom-ref": z.string(),
      purl: z.string(),
      licenses: z.array(z.object({ expression: z.string() })),
    }),
  ),
});
const read = () => bill.parse(JSON.parse(billOfMaterials(packages)));

test("names each package that is in the bundle once, by the address that scanners look it up by", () => {
  const { components, metadata } = read();
  expect(metadata.component.purl).toBe(`pkg:npm/mimo-operator@${packageJson.version}`);
  expect(components.map(({ purl }) => purl)).toEqual([
    "pkg:npm/%40kubernetes/client-node@2.0.1",
    "pkg:npm/undici@8.12.4",
    "pkg:npm/undici@7.0.0",
  ]);
  expect(new Set(components.map((each) => each["bom-ref"])).size).toBe(components.length);
});

test("says each package's licence as it declares it", () => {
  expect(read().components.map(({ licenses }) => licenses[0]?.expression)).toEqual([
    "Apache-2.0",
    "MIT",
    "(MIT OR CC0-1.0)",
  ]);
});

test("is the same for the same bundle", () => {
  expect(billOfMaterials(packages)).toBe(billOfMaterials(packages));
});
