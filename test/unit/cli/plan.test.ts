import { describe, expect, it } from "vitest";
import { deployment, mimo } from "./run.ts";

describe("mimo plan -o json", () => {
  it("has these fields, of these kinds", async () => {
    const { code, stdout, stderr } = await mimo(["plan", "-f", "-", "-o", "json"], {
      input: deployment("pro", "{variant: MiMo-V2.5-Pro, hardware: GB300, replicas: 2}"),
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const text = expect.any(String);
    const number = expect.any(Number);
    const list = expect.any(Array);
    const [plan, ...others] = JSON.parse(stdout);
    expect(others).toEqual([]);
    expect(plan).toEqual({
      name: "pro",
      namespace: "default",
      accepted: true,
      variant: "MiMo-V2.5-Pro",
      hardware: "GB300",
      profile: "Balanced",
      runtime: text,
      image: text,
      replicas: 2,
      nodes: 2,
      gpusPerNode: 4,
      tensorParallel: 8,
      dataParallel: 1,
      expertParallel: 1,
      env: expect.objectContaining({ NCCL_MNNVL_ENABLE: "1" }),
      command: list,
      memory: {
        weightsGiBPerGpu: number,
        kvGiBPerGpu: number,
        tokensPerDpRank: number,
        contextLength: number,
        fits: true,
      },
      provenance: { level: text, source: text, note: text },
      warnings: list,
    });
    expect(plan.command).toEqual(expect.arrayContaining(["--nnodes", "2"]));
  });

  it("says of a refused one its name and every reason, plans the others, and ends with 1", async () => {
    const refused = deployment("bad", "{variant: MiMo-V2.5, hardware: H300, replica: 2}");
    const { code, stdout } = await mimo(["plan", "-f", "-", "-o", "json"], {
      input: `${refused}---\n${deployment("good")}`,
    });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual([
      {
        name: "bad",
        accepted: false,
        errors: [
          { code: "UnknownField", field: "spec.replica", message: expect.stringContaining("replicas") },
          { code: "UnsupportedValue", field: "spec.hardware", message: expect.stringContaining("H200") },
        ],
      },
      expect.objectContaining({ name: "good", accepted: true }),
    ]);
  });
});

describe("mimo plan", () => {
  it("prints a card to read, without escape codes where the output is kept", async () => {
    const { code, stdout } = await mimo(["plan", "-f", "-"], { input: deployment("a") });
    expect(code).toBe(0);
    expect(stdout).not.toContain("\x1b");
    expect(stdout).toMatch(/^default\/a: MiMo-V2\.5 on H200\n/);
    expect(stdout).toMatch(
      / {2}GPU memory +█+▒+░* {2}█ weights [\d.]+ GiB, ▒ KV cache [\d.]+ GiB of [\d.]+ GiB\n/,
    );
    expect(stdout).toMatch(/ {2}Command +sglang serve \\\n +--trust-remote-code \\\n/);
    expect(stdout).toMatch(/ {2}Warning +/);
  });

  it("shows where the platform's fabric leads: nodes, devices and variables", async () => {
    const input = deployment("a").replace("MiMo-V2.5,", "MiMo-V2.5-Pro,");
    expect(input).toContain("MiMo-V2.5-Pro");
    const { stdout } = await mimo(["plan", "-f", "-", "--platform", "examples/platform-coreweave.yaml"], {
      input,
    });
    expect(stdout).toMatch(
      / {2}Nodes +node\.coreweave\.cloud\/type=gd-8xh200ib-i128\n {2}Devices +rdma\/ib=1\n/,
    );
    expect(stdout).toContain("NCCL_IB_HCA=ibp");
  });

  it("plans with the MiMoPlatform among the documents, and with the one of --platform before it", async () => {
    const platform = (registry: string): string =>
      `apiVersion: mimo.dev/v1alpha1\nkind: MiMoPlatform\nmetadata: {name: default}\nspec: {images: {registry: ${registry}}}\n`;
    const input = `${platform("inline.example.com")}---\n${deployment("a")}`;
    const inline = await mimo(["plan", "-f", "-", "-o", "json"], { input });
    expect(JSON.parse(inline.stdout)[0].image).toMatch(/^inline\.example\.com\//);

    const given = await mimo(
      ["plan", "-f", "-", "-o", "json", "--platform", "examples/private-registry.yaml"],
      {
        input,
      },
    );
    expect(JSON.parse(given.stdout)[0].image).toMatch(/^registry\.example\.com\/mirror\//);
    expect(given.stderr).toContain("standard input: document 1: MiMoPlatform default is passed over");
    expect(given.code).toBe(0);
  });

  it("plans nothing with a platform that is refused", async () => {
    const { code, stdout, stderr } = await mimo(["plan", "-f", "-", "-o", "json"], {
      input: `${deployment("a")}---\napiVersion: mimo.dev/v1alpha1\nkind: MiMoPlatform\nmetadata: {name: default}\nspec: {imagse: {}}\n`,
    });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual([
      { name: "a", accepted: false, errors: [expect.objectContaining({ code: "PlatformRefused" })] },
    ]);
    expect(stderr).toContain("did you mean images?");
  });
});
