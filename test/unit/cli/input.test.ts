import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deployment, mimo, root } from "./run.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mimo-cli-"));
});
afterAll(() => rm(folder, { recursive: true }));

const write = async (name: string, content: string | Uint8Array): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
};

describe("errors", () => {
  it("of two documents among good ones are all told, with file, line, document, field and remedy", async () => {
    const path = await write(
      "team.yaml",
      [
        deployment("good"),
        deployment("typo", "\n  variant: MiMo-V2.5\n  hardware: H300\n"),
        deployment("other"),
        deployment(
          "extra",
          "\n  variant: MiMo-V2.5\n  hardware: H200\n  server:\n    extraArgs: [--tp-size, '4']\n",
        ),
      ].join("---\n"),
    );
    const { code, stdout, stderr } = await mimo(["plan", "-f", path]);
    expect(code).toBe(1);
    expect(stderr.trim().split("\n")).toEqual([
      expect.stringMatching(
        /team\.yaml:11: document 2, MiMoDeployment default\/typo: spec\.hardware takes .*H200.*\(UnsupportedValue\)$/,
      ),
      expect.stringMatching(
        /team\.yaml:26: document 4, MiMoDeployment default\/extra: spec\.server\.extraArgs\[0\].*[Rr]emove.*\(OptionOwned\)$/,
      ),
    ]);
    expect(stdout).toContain("default/good: MiMo-V2.5 on H200");
    expect(stdout).toContain("default/other: MiMo-V2.5 on H200");
  });

  it("in the YAML itself name line and column, and don't hide those of other files", async () => {
    const broken = await write("broken.yaml", `${deployment("a")}---\nspec: [1,\n  2\nmore: 3\n`);
    const wrong = await write("wrong.yaml", deployment("b", "{variant: MiMo-V9, hardware: H200}"));
    const { code, stderr } = await mimo(["plan", "-f", broken, "-f", wrong, "-o", "json"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/broken\.yaml:8:\d+: document 2: is not YAML/);
    expect(stderr).toMatch(/wrong\.yaml:4: document 1, MiMoDeployment default\/b: spec\.variant takes/);
  });

  it("tell of files that can't be read, and the others are read all the same", async () => {
    const large = await write("large.yaml", "#".repeat(4 * 2 ** 20 + 1));
    const binary = await write("utf16.yaml", Buffer.from(`\ufeff${deployment("a")}`, "utf16le"));
    const good = await write("good.yaml", deployment("good"));
    const { code, stdout, stderr } = await mimo(["plan", "-f", "missing.yaml", folder, large, binary, good]);
    expect(code).toBe(1);
    expect(stderr.trim().split("\n")).toEqual([
      expect.stringContaining("missing.yaml: there is no such file"),
      expect.stringContaining("is a folder: name the files in it"),
      expect.stringContaining("large.yaml: is larger than 4 MiB"),
      expect.stringContaining("utf16.yaml: is not UTF-8"),
    ]);
    expect(stdout).toContain("default/good");
  });

  it("tell of a kind or version that was meant to be ours, and of one name used twice", async () => {
    const slip = (from: string, to: string): string => deployment("a").replace(from, to);
    const { code, stderr } = await mimo(["plan", "-f", "-"], {
      input: [
        slip("MiMoDeployment", "MimoDeployment"),
        slip("v1alpha1", "v1"),
        slip("apiVersion: mimo.dev/v1alpha1\n", ""),
        slip("MiMoDeployment", "MiMoModel"),
        "hello\n",
        deployment("twice"),
        deployment("twice"),
      ].join("---\n"),
    });
    expect(code).toBe(1);
    expect(stderr.trim().split("\n")).toEqual([
      expect.stringMatching(
        /document 1, MimoDeployment default\/a: kind takes MiMoDeployment, not "MimoDeployment"/,
      ),
      expect.stringMatching(
        /document 2, MiMoDeployment default\/a: apiVersion takes mimo\.dev\/v1alpha1, not "mimo\.dev\/v1"/,
      ),
      expect.stringMatching(
        /document 3, MiMoDeployment default\/a: apiVersion is missing: write mimo\.dev\/v1alpha1/,
      ),
      expect.stringMatching(/document 4: kind takes MiMoDeployment or MiMoPlatform, not "MiMoModel"/),
      expect.stringMatching(/document 5: is no Kubernetes object/),
      expect.stringMatching(
        /document 7, MiMoDeployment default\/twice: metadata\.name is the same as in standard input, document 6/,
      ),
    ]);
  });

  it("tell of input in which there is nothing of ours", async () => {
    const { code, stderr } = await mimo(["plan", "-f", "-"], {
      input: "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n",
    });
    expect(code).toBe(1);
    expect(stderr).toContain("note: standard input: document 1: Service web is passed over");
    expect(stderr).toContain("error: standard input: holds no MiMoDeployment of mimo.dev/v1alpha1");
  });
});

describe("the command line", () => {
  it.each([
    ["no command", []],
    ["an unknown command", ["serve"]],
    ["a missing file option", ["plan"]],
    ["an unknown format", ["plan", "-f", "-", "-o", "xml"]],
    ["standard input twice", ["plan", "-f", "-", "--platform", "-"]],
  ])("ends with 2 on %s, and prints nothing to standard output", async (_, args) => {
    expect(await mimo(args)).toEqual({ code: 2, stdout: "", stderr: expect.stringMatching(/\S/) });
  });

  it.each(["plan", "render", "crds", "install", "demo"])("%s --help shows examples", async (verb) => {
    const { code, stdout } = await mimo([verb, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`Examples:\n  mimo ${verb}`);
  });

  it("calls itself kubectl mimo where kubectl runs it", async () => {
    const plugin = join(folder, "kubectl-mimo.ts");
    await symlink(join(root, "operator/cli/mimo.ts"), plugin);
    const { code, stdout } = await mimo(["plan", "--help"], { program: plugin });
    expect(code).toBe(0);
    expect(stdout).toContain("Usage: kubectl mimo plan");
    expect((await mimo(["plan", "-f", "-"], { program: plugin, input: deployment("a") })).code).toBe(0);
  });

  it("tells its version", async () => {
    expect((await mimo(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
