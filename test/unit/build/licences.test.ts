import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Metafile } from "esbuild";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type BundledPackage, bundledPackages, licenceReport } from "../../../build/licences.ts";

const bundled = (override: Partial<BundledPackage>): BundledPackage => ({
  name: "left-pad",
  version: "1.3.0",
  licence: "MIT",
  texts: ["MIT License\nCopyright Someone"],
  ...override,
});

describe("the licences of what is bundled", () => {
  test("carry name, version, licence and every text of each package, in one order", () => {
    const notice = bundled({
      name: "constructs",
      licence: "Apache-2.0",
      texts: ["Apache License", "A notice"],
    });
    const report = licenceReport([bundled({}), notice]);
    expect(report).toBe(licenceReport([notice, bundled({})]));
    expect(report).toMatch(
      /constructs 1\.3\.0 \(Apache-2\.0\)[\s\S]*Apache License[\s\S]*A notice[\s\S]*left-pad 1\.3\.0 \(MIT\)/,
    );
  });

  test("name a package found in two folders once", () => {
    expect(licenceReport([bundled({}), bundled({})])).toBe(licenceReport([bundled({})]));
  });

  test.each([
    ["no licence", { licence: undefined }, "names no licence"],
    ["a licence that is not allowed", { licence: "GPL-3.0-only" }, "its licence is GPL-3.0-only"],
    [
      "one part of its code under a licence that is not allowed",
      { licence: "MIT AND GPL-3.0-only" },
      "MIT AND GPL-3.0-only",
    ],
    [
      "the name of an object's own property for a licence",
      { licence: "constructor" },
      "its licence is constructor",
    ],
    ["no copy of a licence that has to be copied", { texts: [] }, "has no licence file"],
  ])("stop the build when a package has %s", (_, override, reason) => {
    expect(() => licenceReport([bundled({}), bundled({ name: "bad", ...override })])).toThrow(
      new RegExp(`bad 1\\.3\\.0: .*${reason}`),
    );
  });

  test.each([
    ["a choice of which one is allowed", { licence: "(GPL-2.0-only OR MIT)" }],
    ["a licence that asks for nothing, and no file", { licence: "Unlicense", texts: [] }],
  ])("let a package pass with %s", (_, override) => {
    expect(() => licenceReport([bundled(override)])).not.toThrow();
  });
});

describe("the packages of a bundle", () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "mimo-licences-"));
  });
  afterEach(() => rm(root, { recursive: true }));

  async function install(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
    await mkdir(join(root, folder), { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(root, folder, name), text);
  }

  const bundleOf = (inputs: Readonly<Record<string, number>>): Metafile => ({
    inputs: {},
    outputs: {
      "mimo.mjs": {
        bytes: 1,
        imports: [],
        exports: [],
        inputs: Object.fromEntries(
          Object.entries(inputs).map(([path, bytesInOutput]) => [path, { bytesInOutput }]),
        ),
      },
    },
  });

  test("are those with code in it, the nested ones too, and not what was shaken off", async () => {
    await install("node_modules/@scope/outer", {
      "package.json": '{"name":"@scope/outer","version":"1.0.0","license":"Apache-2.0"}',
      LICENSE: "outer's licence",
      NOTICE: "outer's notice",
      "readme.md": "no licence",
    });
    await install("node_modules/@scope/outer/node_modules/inner", {
      "package.json": '{"name":"inner","version":"2.0.0","license":"MIT"}',
      "license.md": "inner's licence",
    });
    const metafile = bundleOf({
      "build/entry.ts": 10,
      "node_modules/@scope/outer/lib/a.js": 5,
      "node_modules/@scope/outer/lib/b.js": 5,
      "node_modules/@scope/outer/node_modules/inner/index.js": 5,
      "node_modules/shaken-off/index.js": 0,
    });
    expect(await bundledPackages(metafile, root)).toEqual([
      {
        name: "@scope/outer",
        version: "1.0.0",
        licence: "Apache-2.0",
        texts: ["outer's licence", "outer's notice"],
      },
      { name: "inner", version: "2.0.0", licence: "MIT", texts: ["inner's licence"] },
    ]);
  });
});
