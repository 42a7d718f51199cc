import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { bundle } from "../../../build/bundle.ts";
import packageJson from "../../../package.json" with { type: "json" };

const checkout = resolve(import.meta.dirname, "../../..");
const example = "v2-flash-h200.yaml";

let work: string;
let dist: string;
/** Holds the bundle and an example, and no package. */
let empty: string;

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "mimo-bundle-"));
  dist = join(work, "dist");
  empty = join(work, "empty");
  await bundle(dist);
  await mkdir(empty);
  await copyFile(join(dist, "mimo.mjs"), join(empty, "mimo.mjs"));
  await copyFile(join(checkout, "examples", example), join(empty, example));
});
afterAll(() => rm(work, { recursive: true }));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Node itself refuses to read anything outside the folder, and to write anything at all. */
function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Outcome {
  const permissions = ["--permission", `--allow-fs-read=${empty}`];
  return spawnSync(process.execPath, [...permissions, join(empty, "mimo.mjs"), ...args], {
    cwd: empty,
    env,
    encoding: "utf8",
    timeout: 30_000,
  });
}

/** The same from the checkout's sources. */
function runSources(args: readonly string[]): Outcome {
  return spawnSync(process.execPath, [join(checkout, "operator/cli/mimo.ts"), ...args], {
    cwd: empty,
    encoding: "utf8",
  });
}

describe("the bundle, alone in a folder that it may only read", () => {
  test("knows its version", () => {
    expect(run(["--version"])).toMatchObject({ status: 0, stdout: `${packageJson.version}\n` });
  });

  test.each([
    ["plan -o json", ["plan", "-f", example, "-o", "json"]],
    ["render", ["render", "-f", example]],
    ["crds", ["crds"]],
    ["install", ["install", "--image-repository", "registry.example.com/mimo"]],
  ])("prints with %s what the sources print", (_, args) => {
    const bundled = run(args);
    const { status, stdout } = runSources(args);
    expect(bundled).toMatchObject({ status, stdout });
    expect({ status, lines: stdout.split("\n").length }).toEqual({
      status: 0,
      lines: expect.toSatisfy((n) => n > 5),
    });
  });

  test("is kubectl's plugin under that name", async () => {
    await symlink("mimo.mjs", join(empty, "kubectl-mimo"));
    const { stdout } = spawnSync(process.execPath, [join(empty, "kubectl-mimo"), "--help"], {
      encoding: "utf8",
    });
    expect(stdout).toContain("Usage: kubectl mimo");
  });

  test("is the operator, with the operator's flags", () => {
    expect(run(["operator", "--help"])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("--lease-namespace"),
    });
    expect(run(["operator", "--workers", "0"])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--workers"),
    });
  });

  test("ends with an error that names the file when the kubeconfig can't be used", async () => {
    const kubeconfig = join(empty, "broken.kubeconfig");
    await writeFile(kubeconfig, "clusters: [");
    const missing = join(empty, "missing.kubeconfig");
    expect(run(["operator"], { KUBECONFIG: missing })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(missing),
    });
    expect(run(["operator"], { KUBECONFIG: kubeconfig }).status).toBe(1);
  });
});

describe("what is shipped", () => {
  test("is one executable file with the licences", async () => {
    expect((await readdir(dist)).sort()).toEqual([
      "LICENSE",
      "THIRD-PARTY-LICENCES.txt",
      "mimo.mjs",
      "sbom.cdx.json",
    ]);
    expect(readFileSync(join(dist, "mimo.mjs"), "utf8").split("\n")[0]).toBe("#!/usr/bin/env node");
    const direct = spawnSync(join(dist, "mimo.mjs"), ["--version"], { encoding: "utf8" });
    expect(direct).toMatchObject({ status: 0, stdout: `${packageJson.version}\n` });
  });

  test("lists for scanners the packages whose licences go with it, with their versions", () => {
    const licences = readFileSync(join(dist, "THIRD-PARTY-LICENCES.txt"), "utf8");
    const headings = [...licences.matchAll(/^-{80}\n(\S+) (\S+) \(/gm)].map(
      ([, name, version]) => `${name}@${version}`,
    );
    const bill = z
      .object({ components: z.array(z.object({ name: z.string(), version: z.string() })) })
      .parse(JSON.parse(readFileSync(join(dist, "sbom.cdx.json"), "utf8")));
    expect(headings.length).toBeGreaterThan(10);
    expect(bill.components.map(({ name, version }) => `${name}@${version}`).sort()).toEqual(headings.sort());
  });

  test("names the packages that it is made of, and none of the tools that made it", () => {
    const licences = readFileSync(join(dist, "THIRD-PARTY-LICENCES.txt"), "utf8");
    for (const name of [
      "@kubernetes/client-node",
      "cdk8s",
      "cdk8s-plus-28",
      "commander",
      "pino",
      "undici",
      "zod",
    ]) {
      expect(licences).toContain(`\n${name} `);
    }
    for (const name of Object.keys(packageJson.devDependencies)) expect(licences).not.toContain(`\n${name} `);
  });
});
