import packageJson from "../package.json" with { type: "json" };
import type { BundledPackage } from "./licences.ts";

const purlOf = (name: string, version: string): string => `pkg:npm/${name.replace("@", "%40")}@${version}`;

/**
 * The software bill of materials of the bundle, as CycloneDX: exactly the packages with code in it, which `npm sbom` can't
 * tell. The same bundle gives the same text.
 */
export function billOfMaterials(packages: readonly BundledPackage[]): string {
  const { name, version, license } = packageJson;
  const components = packages.map((each) => ({
    type: "library",
    "bom-ref": purlOf(each.name, each.version),
    name: each.name,
    version: each.version,
    purl: purlOf(each.name, each.version),
    ...(each.licence !== undefined && { licenses: [{ expression: each.licence }] }),
  }));
  const byReference = new Map(components.map((component) => [component["bom-ref"], component]));
  const bill = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": purlOf(name, version),
        name,
        version,
        purl: purlOf(name, version),
        licenses: [{ expression: license }],
      },
    },
    components: [...byReference.values()],
  };
  return `${JSON.stringify(bill, undefined, 2)}\n`;
}
