import { chmod, copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build, type Metafile } from "esbuild";
import { bundledPackages, licenceReport } from "./licences.ts";
import { billOfMaterials } from "./sbom.ts";

const root = resolve(import.meta.dirname, "..");

/** CommonJS packages call `require` for Node's own modules; an ES module has none unless it makes one. */
const requireInEsModule =
  'import { createRequire as createRequireOfBundle } from "node:module"; const require = createRequireOfBundle(import.meta.url);';

/**
 * Writes what is shipped: mimo.mjs, which needs nothing but Node, the licences and the list of what is in it, and our own
 * licence.
 * @throws Error when a source doesn't resolve, or a package in the bundle has a licence that we can't ship.
 */
export async function bundle(folder: string): Promise<Metafile> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const executable = join(folder, "mimo.mjs");
  const { metafile } = await build({
    entryPoints: [join(root, "build/entry.ts")],
    outfile: executable,
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    banner: { js: requireInEsModule },
    // Node keeps the text in memory, with two bytes for each character if a comment has a curly quote. Names stay: a stack
    // trace from a cluster should name the functions it went through, and Node prints the line of an error that ends it.
    minifyWhitespace: true,
    legalComments: "none",
    lineLimit: 200,
    metafile: true,
    logLevel: "warning",
  });
  const packages = await bundledPackages(metafile, root);
  const report = licenceReport(packages);
  await chmod(executable, 0o755);
  await writeFile(join(folder, "THIRD-PARTY-LICENCES.txt"), report);
  await writeFile(join(folder, "sbom.cdx.json"), billOfMaterials(packages));
  await copyFile(join(root, "LICENSE"), join(folder, "LICENSE"));
  return metafile;
}

if (import.meta.main) {
  const { outputs } = await bundle(join(root, "dist"));
  for (const [path, { bytes }] of Object.entries(outputs)) {
    process.stdout.write(`${path}: ${(bytes / 2 ** 20).toFixed(1)} MiB\n`);
  }
}
