import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { readInstallValues } from "../../../operator/cli/install-options.ts";
import { mimo } from "./run.ts";

const shape = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});
const objectsOf = (text: string) => parseAllDocuments(text).map((document) => shape.parse(document.toJS()));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mimo-install-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

const read = (files: readonly string[], options: Record<string, unknown> = {}) =>
  readInstallValues(files, options, process.stdin);
async function refusals(content: string): Promise<readonly string[]> {
  const result = await read([await file("refused.yaml", content)]);
  return "refusals" in result ? result.refusals : [];
}

describe("mimo install", () => {
  it("prints the namespace, CRDs, rights and Deployment of the operator, by its options", async () => {
    const image = ["--image-repository", "registry.example.com/mimo-operator", "--image-tag", "1"];
    const options = [...image, "--no-log-access", "--pod-monitor-enabled", "--replicas", "3"];
    const { code, stdout } = await mimo(["install", "--namespace", "ops", ...options]);
    expect(code).toBe(0);
    const objects = objectsOf(stdout);
    expect(objects[0]).toMatchObject({ kind: "Namespace", metadata: { name: "ops" } });
    expect(objects.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(["CustomResourceDefinition", "ServiceAccount", "ClusterRole", "PodMonitor"]),
    );
    expect(objects.find(({ kind }) => kind === "Deployment")).toMatchObject({
      metadata: { namespace: "ops" },
      spec: {
        replicas: 3,
        template: { spec: { containers: [{ image: "registry.example.com/mimo-operator:1" }] } },
      },
    });
    const bound = objects.filter(({ kind }) => kind === "ClusterRoleBinding");
    expect(bound.map(({ metadata }) => metadata.name)).not.toContain("mimo-operator-logs");
  });

  it("says each thing that is wrong with its options and files, and prints nothing", async () => {
    const values = await file("bad.yaml", "imge: {tag: 1}\n");
    const { code, stdout, stderr } = await mimo(["install", "--values", values]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^error: .*bad\.yaml:1: there is no field imge: did you mean image\?/);
    expect((await mimo(["install", "--part", "half"])).code).toBe(2);
  });
});

describe("values", () => {
  it("of later files and of options win, field by field", async () => {
    const files = [
      await file("a.yaml", "replicas: 3\nimage: {repository: a, tag: one}\nnodeSelector: {a: x}\n"),
      await file("b.yaml", "image: {tag: two}\nnodeSelector: {b: z}\n"),
    ];
    expect(await read(files, { image: { repository: "b" } })).toMatchObject({
      values: { replicas: 3, image: { repository: "b", tag: "two" }, nodeSelector: { a: "x", b: "z" } },
    });
  });

  it("that are null take a default away, as Helm has it", async () => {
    const values = await file("null.yaml", "resources: {limits: null}\n");
    expect(await read([values])).toMatchObject({
      values: { resources: { requests: { cpu: "100m", memory: "128Mi" } } },
    });
    expect(JSON.stringify(await read([values]))).not.toContain("512Mi");
  });

  it.each([
    ['replicas: "2"', "replicas takes a number, not text: write 2 without quotes"],
    ["replicas: 0", "replicas is at least 1, not 0"],
    ["logLevel: loud", "logLevel takes one of trace, debug, info, warn and error"],
    ["namespaces: [Team_A]", "namespaces[0] is no name"],
    ["resources: {limits: {memory: much}}", 'is no quantity: write for example "500m"'],
    ["podMonitor: {enable: true}", "there is no field podMonitor.enable: did you mean enabled?"],
  ])("%s is refused in words", async (content, words) => {
    expect((await refusals(content)).join("\n")).toContain(words);
  });
});
