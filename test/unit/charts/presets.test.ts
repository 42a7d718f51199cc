import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { renderDeployment } from "../../../charts/render.ts";
import { toYaml } from "../../../charts/yaml.ts";
import type { Hardware } from "../../../crds/names.ts";
import { parsePlatform } from "../../../crds/parse.ts";
import type { PlatformSpec } from "../../../crds/platform.ts";
import { readDocuments } from "../../../operator/cli/documents.ts";
import { root } from "../cli/run.ts";
import { accepted } from "../synth/requests.ts";

const platforms = ["gke", "eks", "aks", "coreweave", "oci", "on-premises"] as const;
const kinds = ["H200", "GB300"] as const;

async function examplePlatform(name: string): Promise<PlatformSpec> {
  const file = `platform-${name}.yaml`;
  const [document] = readDocuments(file, await readFile(join(root, "examples", file), "utf8")).documents;
  const parsed = parsePlatform(document?.value);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.spec;
}

/** What the plan warns of, as comments, and everything that is made for one group. */
function manifests(hardware: Hardware, platform: PlatformSpec): string {
  const plan = accepted({ variant: "MiMo-V2.5-Pro", hardware, runtime: "v0.5.18" }, platform);
  const warnings = plan.warnings.map((warning) => `# Warning: ${warning}\n`).join("");
  return `${warnings}${toYaml(renderDeployment({ plan, replicas: 1 }))}`;
}

const cases = platforms.flatMap((name) => kinds.map((kind) => ({ name, kind })));

// Each was read line by line against the sources of its preset: after a change, do that again before taking it over with -u.
it.each(cases)("MiMo-V2.5-Pro on $kind, example platform $name", async ({ name, kind }) => {
  const file = join(import.meta.dirname, "presets", `${name}-${kind.toLowerCase()}.yaml`);
  await expect(manifests(kind, await examplePlatform(name))).toMatchFileSnapshot(file);
});

it("MiMo-V2.5-Pro on H200 in the network of its nodes", async () => {
  const platform = await examplePlatform("on-premises");
  const fabric = {
    resources: { "rdma/ib": "1" },
    interface: "bond0",
    ibHca: "=mlx5_0,mlx5_3,mlx5_4,mlx5_5,mlx5_6,mlx5_9,mlx5_10,mlx5_11",
    ibGidIndex: 3,
    hostNetwork: { httpPort: 19_000 },
  };
  const file = join(import.meta.dirname, "presets", "host-network-h200.yaml");
  await expect(manifests("H200", { ...platform, hardware: [{ kind: "H200", fabric }] })).toMatchFileSnapshot(
    file,
  );
});
