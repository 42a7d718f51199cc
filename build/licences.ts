import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Metafile } from "esbuild";
import { z } from "zod";

/** SPDX identifiers that let us ship the package in a binary under Apache-2.0, and whether a copy must carry the text. */
const allowed: ReadonlyMap<string, { readonly textRequired: boolean }> = new Map([
  ["Apache-2.0", { textRequired: true }],
  ["BSD-2-Clause", { textRequired: true }],
  ["BSD-3-Clause", { textRequired: true }],
  ["BlueOak-1.0.0", { textRequired: true }],
  ["ISC", { textRequired: true }],
  ["MIT", { textRequired: true }],
  ["0BSD", { textRequired: false }],
  ["CC0-1.0", { textRequired: false }],
  ["Unlicense", { textRequired: false }],
]);

export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression as the package declares it. */
  readonly licence: string | undefined;
  /** The licence and, where there is one, the notice. */
  readonly texts: readonly string[];
}

const manifest = z.object({ name: z.string(), version: z.string(), license: z.string().optional() });
const packageFolder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;
const licenceFile = /^(licen[cs]e|copying|notice)/i;

/** The packages of which at least one byte is in an output, each folder once. */
export async function bundledPackages({ outputs }: Metafile, root: string): Promise<BundledPackage[]> {
  const folders = new Set<string>();
  for (const { inputs } of Object.values(outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const folder = packageFolder.exec(path)?.[0];
      if (folder !== undefined && bytesInOutput > 0) folders.add(folder);
    }
  }
  return Promise.all([...folders].sort().map((folder) => readPackage(join(root, folder))));
}

async function readPackage(folder: string): Promise<BundledPackage> {
  const text = await readFile(join(folder, "package.json"), "utf8");
  const { name, version, license } = manifest.parse(JSON.parse(text));
  const files = (await readdir(folder)).filter((file) => licenceFile.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
  return { name, version, licence: license, texts };
}

/**
 * The text that goes with the bundle.
 * @throws Error that names every package we may not ship, and why.
 */
export function licenceReport(packages: readonly BundledPackage[]): string {
  const obstacles = packages.flatMap((bundled) => {
    const why = obstacle(bundled);
    return why === undefined ? [] : [`  ${bundled.name} ${bundled.version}: ${why}`];
  });
  if (obstacles.length > 0) {
    throw new Error(
      `the bundle can't be shipped:\n${obstacles.join("\n")}\n` +
        `Allowed are ${[...allowed.keys()].join(", ")}. Replace the package, or add its licence to build/licences.ts once it is cleared.`,
    );
  }
  const sections = new Map(
    packages.map((bundled) => [`${bundled.name} ${bundled.version}`, section(bundled)]),
  );
  const sorted = [...sections].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
  return `mimo.mjs contains code of these packages.\n${sorted.join("")}`;
}

function obstacle({ licence, texts }: BundledPackage): string | undefined {
  if (licence === undefined) return "its package.json names no licence";
  const choices = licence.replace(/^\((.*)\)$/, "$1").split(" OR ");
  const terms = choices.map((choice) => allowed.get(choice)).filter((term) => term !== undefined);
  if (terms.length === 0) return `its licence is ${licence}`;
  if (texts.length === 0 && terms.every(({ textRequired }) => textRequired)) {
    return `${licence} asks for its text in every copy, and the package has no licence file`;
  }
  return undefined;
}

function section({ name, version, licence, texts }: BundledPackage): string {
  const body = texts.map((text) => `\n${text.replaceAll("\r\n", "\n").trim()}\n`).join("");
  return `\n${"-".repeat(80)}\n${name} ${version} (${licence})\n${body}`;
}
