import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { hardwareKinds, profiles, variants } from "../../../crds/names.ts";
import { parseDeployment } from "../../../crds/parse.ts";
import { ask, newDeployment } from "../../../operator/cli/new.ts";
import { planDeployment } from "../../../synth/plan.ts";
import { mimo } from "./run.ts";

/** Answers line by line, and what was said before each. */
async function conversation(lines: readonly string[], given = {}) {
  const left = [...lines];
  const said: string[] = [];
  const answers = await ask(given, {
    read: async () => left.shift(),
    say: (text) => said.push(text),
  });
  return { answers, said: said.join(""), left };
}

describe("questions", () => {
  it("take a number, a name in any case, or nothing for what is usual", async () => {
    const { answers } = await conversation(["3", "h200", "", "2", "chat"]);
    expect(answers).toEqual({
      variant: "MiMo-V2.5",
      hardware: "H200",
      profile: "Balanced",
      replicas: "2",
      name: "chat",
    });
  });

  it("are asked again until the answer is one of the list, and not at all when options answer them", async () => {
    const { answers, said, left } = await conversation(["H2", "6", "H20", "", "", "a"], {
      variant: "MiMo-V2.5",
    });
    expect(answers).toMatchObject({ variant: "MiMo-V2.5", hardware: "H20", name: "a" });
    expect(said).not.toContain("Which model");
    expect(said.match(/On which kind of node/g)).toHaveLength(3);
    expect(left).toEqual([]);
  });

  it("that nobody answers to the end give nothing", async () => {
    expect((await conversation(["1", "1"])).answers).toBeUndefined();
  });
});

describe("a new deployment", () => {
  it("is a file that the API server and the operator take, or every reason why they don't", () => {
    const answers = fc.record({
      name: fc.constantFrom("chat", "Chat", "a".repeat(41)),
      variant: fc.constantFrom(...variants),
      hardware: fc.constantFrom(...hardwareKinds),
      profile: fc.constantFrom(...profiles),
      replicas: fc.constantFrom("0", "1", "1000", "1001", "many"),
    });
    fc.assert(
      fc.property(answers, (given) => {
        const made = newDeployment(given, undefined);
        if ("refusals" in made) {
          expect(made.refusals).not.toEqual([]);
          return;
        }
        const parsed = parseDeployment(parse(made.yaml));
        expect(parsed).toMatchObject({ ok: true, name: "chat", spec: { variant: given.variant } });
        if (parsed.ok) expect(planDeployment(parsed, undefined).accepted).toBe(true);
      }),
    );
  });

  it("says no more than it must", () => {
    const made = newDeployment({ name: "a", variant: "MiMo-V2.5", hardware: "H200" }, undefined);
    expect("yaml" in made && parse(made.yaml)).toEqual({
      apiVersion: "mimo.dev/v1alpha1",
      kind: "MiMoDeployment",
      metadata: { name: "a" },
      spec: { variant: "MiMo-V2.5", hardware: "H200" },
    });
  });

  it("is held to the limits of the platform", () => {
    const limits = { groupsPerDeployment: 2 };
    expect(
      newDeployment({ name: "a", variant: "MiMo-V2.5", hardware: "H200", replicas: "3" }, { limits }),
    ).toEqual({
      refusals: [expect.stringContaining("spec.replicas: 3 serving groups are more than the 2")],
    });
  });
});

describe("mimo new", () => {
  it("prints the file alone on standard output and asks on standard error", async () => {
    const { code, stdout, stderr } = await mimo(["new", "--namespace", "team-a"], {
      input: "MiMo-V2-Flash\nH200\n\n\nchat\n",
    });
    expect(code).toBe(0);
    expect(parse(stdout)).toMatchObject({ metadata: { name: "chat", namespace: "team-a" } });
    expect(stderr).toContain("Which model?");
  });

  it("writes a file once, and never over another", async () => {
    const folder = await mkdtemp(join(tmpdir(), "mimo-new-"));
    try {
      const path = join(folder, "chat.yaml");
      const args = ["new", "--name", "chat", "--variant", "MiMo-V2.5", "--hardware", "H200", "-o", path];
      expect(await mimo(args)).toEqual({ code: 0, stdout: "", stderr: "" });
      expect(parse(await readFile(path, "utf8"))).toMatchObject({ metadata: { name: "chat" } });
      expect(await mimo(args)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("it exists already"),
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
