import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { renderDeployment } from "../../../charts/render.ts";
import { toYaml } from "../../../charts/yaml.ts";
import { parseDeployment } from "../../../crds/parse.ts";
import { planDeployment } from "../../../synth/plan.ts";
import { deployment, mimo } from "./run.ts";

interface Rendered {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}
const objectsOf = (yaml: string): Rendered[] =>
  [...parseAllDocuments(yaml)].map((document) => document.toJS());

describe("mimo render", () => {
  it("prints the objects of every deployment and nothing else", async () => {
    const two = deployment("b", "{variant: MiMo-V2.5-Pro, hardware: GB300, replicas: 2}");
    const { code, stdout, stderr } = await mimo(["render", "-f", "-"], {
      input: `${deployment("a")}---\n${two}`,
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const sets = objectsOf(stdout).filter(({ kind }) => kind === "StatefulSet");
    expect(sets.map(({ metadata }) => [metadata.namespace, metadata.name])).toEqual([
      ["default", "a-0"],
      ["default", "b-0"],
      ["default", "b-1"],
    ]);
  });

  it("prints, byte for byte, what the operator is given to apply", async () => {
    const parsed = parseDeployment(objectsOf(deployment("a"))[0]);
    const result = parsed.ok ? planDeployment(parsed, undefined) : undefined;
    if (!result?.accepted) throw new Error("the deployment was meant to be good");
    const { stdout } = await mimo(["render", "-f", "-"], { input: deployment("a") });
    expect(stdout).toBe(toYaml(renderDeployment({ plan: result.plan, replicas: 1 })));
  });

  it("prints nothing when one of several is refused, since half of them could reach kubectl apply", async () => {
    const { code, stdout, stderr } = await mimo(["render", "-f", "-"], {
      input: `${deployment("a")}---\n${deployment("b", "{variant: MiMo-V2.5}")}`,
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("spec.hardware is missing");
  });
});

describe("mimo crds", () => {
  it("prints the two CustomResourceDefinitions that are kept in the repository", async () => {
    const { code, stdout } = await mimo(["crds"]);
    const kept = await readFile(join(import.meta.dirname, "../../../charts/generated/crds.yaml"), "utf8");
    expect(code).toBe(0);
    expect(objectsOf(stdout)).toEqual(objectsOf(kept));
  });
});
