import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { instructionsOf, type Reading, readDockerfile } from "./buildkit.ts";
import { runStage } from "./steps.ts";

const context = resolve(import.meta.dirname, "../..");

let folder: string;
let read: Reading;
const rootOf = (stage: string): string => join(folder, stage === "" ? "image" : stage);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mimo-image-"));
  read = await readDockerfile(context);
  for (const stage of read.stages) await runStage(stage, { context, files: read.context, rootOf });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the Dockerfile's steps in a clean folder, with only what .dockerignore lets through", () => {
  test("leave the bundle, its licences and the list of its parts in the image, and nothing else", async () => {
    expect(await readdir(join(rootOf(""), "opt/mimo"))).toEqual([
      "LICENSE",
      "THIRD-PARTY-LICENCES.txt",
      "mimo.mjs",
      "sbom.cdx.json",
    ]);
    expect(await readdir(rootOf(""))).toEqual(["opt"]);
  });

  test("make an entry point that takes the image's environment and the operator's flags, and writes no file", () => {
    const image = read.stages.at(-1);
    if (image === undefined) throw new Error("the Dockerfile has no stage");
    const env = Object.assign({}, ...instructionsOf(image, "ENV").map(({ values }) => values.Env));
    const [program, ...line] = instructionsOf(image, "ENTRYPOINT").flatMap(({ values }) => values.CmdLine);
    const at = line.findIndex((word) => word.endsWith(".mjs"));
    const [flags, file = "", args] = [line.slice(0, at), line[at], line.slice(at + 1)];
    expect(program).toBe("node");
    const permissions = ["--permission", `--allow-fs-read=${rootOf("")}`];
    const node = (...more: string[]) =>
      spawnSync(process.execPath, [...permissions, ...flags, join(rootOf(""), file), ...more], {
        env,
        encoding: "utf8",
      });
    expect(node(...args, "--listen", "0.0.0.0:8080", "--help")).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("Usage: mimo-operator"),
    });
    expect(node("--version")).toMatchObject({ status: 0, stdout: `${packageJson.version}\n` });
  });
});
