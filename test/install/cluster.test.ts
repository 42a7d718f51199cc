import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { bootServer, eventually, run, stopServer } from "../api/server.ts";
import { callApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { untilEstablished } from "../controlplane/install.ts";
import { mimo } from "../unit/cli/run.ts";
import { ensureInstallPrograms } from "./programs.ts";
import { schemaLocation, writeSchemas } from "./schemas.ts";
import { valueSets } from "./value-sets.ts";

const generated = join(import.meta.dirname, "../../charts/generated");
const chart = join(generated, "helm");

let server: ControlPlane;
let programs: Awaited<ReturnType<typeof ensureInstallPrograms>>;
let folder: string;
beforeAll(async () => {
  programs = await ensureInstallPrograms((line) => console.error(line));
  server = await bootServer();
  folder = await mkdtemp(join(tmpdir(), "mimo-install-"));
});
afterAll(async () => {
  if (server !== undefined) await stopServer(server);
  await rm(folder, { recursive: true, force: true });
});

async function program(name: keyof typeof programs, args: readonly string[]): Promise<string> {
  const running = promisify(execFile)(programs[name], args, {
    env: { ...process.env, KUBECONFIG: server.kubeconfig },
    maxBuffer: 64 * 2 ** 20,
  });
  const ended = await running.catch((error: unknown) => {
    throw error instanceof Error && "stdout" in error
      ? new Error(`${error.message}\n${error.stdout}`)
      : error;
  });
  return ended.stdout;
}
const helm = (...args: readonly string[]) => program("helm", args);

async function valuesFile(values: object): Promise<string> {
  const path = join(folder, "values.json");
  await writeFile(path, JSON.stringify(values));
  return path;
}

const shape = z.looseObject({ metadata: z.looseObject({ uid: z.string(), generation: z.int().optional() }) });
const get = async (path: string) => shape.parse(await callApi(server, path));
const crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mimodeployments.mimo.dev";
const deploymentPath = "/apis/apps/v1/namespaces/ops/deployments/mimo-operator";

/** Of whichever object's specification nobody wrote, the same again. */
const generations = async () => {
  const of = async (path: string) => {
    const { uid, generation } = (await get(path)).metadata;
    return { uid, generation };
  };
  return { crd: await of(crd), deployment: await of(deploymentPath) };
};

describe("helm", () => {
  test("installs and upgrades: what stays the same is not touched", async () => {
    await helm("install", "mimo", chart, "-n", "ops", "--create-namespace");
    await untilEstablished(server);
    const before = await generations();
    await helm("upgrade", "mimo", chart, "-n", "ops");
    expect(await generations()).toEqual(before);

    await helm("upgrade", "mimo", chart, "-n", "ops", "--set", "replicas=3");
    expect((await get(deploymentPath)).metadata).toMatchObject({
      uid: before.deployment.uid,
      generation: 2,
    });
  });

  test("upgrades the definitions, too", async () => {
    const path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/suspend";
    await run(server, [
      "patch",
      "crd",
      "mimodeployments.mimo.dev",
      "--type=json",
      "-p",
      JSON.stringify([{ op: "remove", path }]),
    ]);
    await helm("upgrade", "mimo", chart, "-n", "ops", "--force-conflicts");
    await untilEstablished(server);
    expect(JSON.stringify(await get(crd))).toContain("True frees all GPUs and keeps the object.");
  });

  test("leaves definitions and deployments when it is uninstalled, and takes them over when installed again", async () => {
    const platform = {
      apiVersion: "mimo.dev/v1alpha1",
      kind: "MiMoPlatform",
      metadata: { name: "default" },
      spec: {},
    };
    await run(server, ["apply", "-f", "-"], JSON.stringify(platform));
    const document = {
      apiVersion: "mimo.dev/v1alpha1",
      kind: "MiMoDeployment",
      metadata: { name: "flash", namespace: "default" },
      spec: { variant: "MiMo-V2-Flash", hardware: "H200" },
    };
    await run(server, ["apply", "-f", "-"], JSON.stringify(document));
    const path = "/apis/mimo.dev/v1alpha1/namespaces/default/mimodeployments/flash";
    const before = await get(path);
    await helm("uninstall", "mimo", "-n", "ops");
    expect(await get(path)).toEqual(before);
    await helm("install", "mimo", chart, "-n", "ops");
    expect(await get(path)).toEqual(before);
    await helm("uninstall", "mimo", "-n", "ops");
  });
});

describe("kubeconform, against what this API server serves, finds every object valid", () => {
  beforeAll(async () => {
    await run(server, ["apply", "--server-side", "-f", join(generated, "crds.yaml")]);
    await untilEstablished(server);
    // The API server publishes the schemas of new definitions some time after it serves them.
    await eventually(
      60,
      async () =>
        JSON.stringify(await callApi(server, "/openapi/v2")).includes("dev.mimo.v1alpha1.MiMoPlatform"),
      (isThere) => isThere,
    );
    await writeSchemas(server, folder);
  });

  const check = async (text: string): Promise<string> => {
    const path = join(folder, "objects.yaml");
    await writeFile(path, text);
    // Nothing serves PodMonitors here.
    const skip = ["-skip", "PodMonitor"];
    return program("kubeconform", [
      "-strict",
      "-summary",
      ...skip,
      "-schema-location",
      schemaLocation(folder),
      path,
    ]);
  };

  test.each(Object.keys(valueSets))("the chart with %s", async (name) => {
    const file = await valuesFile(valueSets[name] ?? {});
    expect(await check(await helm("template", "mimo", chart, "-n", "ops", "--values", file))).toContain(
      "Invalid: 0, Errors: 0",
    );
  });

  test("the Kustomize base", async () => {
    expect(await check(await run(server, ["kustomize", join(generated, "kustomize")]))).toContain(
      "Invalid: 0, Errors: 0",
    );
  });

  test("and a field that doesn't exist invalid", async () => {
    const text = await readFile(join(generated, "kustomize/operator.yaml"), "utf8");
    await expect(check(text.replace("enableServiceLinks:", "enableServiceLink:"))).rejects.toThrow(
      "enableServiceLink",
    );
  });
});

describe("kubectl", () => {
  test("applies the Kustomize base, twice, and it is what `mimo install` prints", async () => {
    const base = join(generated, "kustomize");
    await run(server, ["apply", "--server-side", "-k", base]);
    const { stdout } = await mimo(["install"]);
    const applied = await run(server, ["diff", "--server-side", "-f", "-"], stdout);
    expect(applied).toBe("");
    await run(server, ["apply", "--server-side", "-k", base]);
  });
});
