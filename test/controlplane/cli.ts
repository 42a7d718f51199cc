/** A control plane with fake GPU nodes until Ctrl-C (`up`), or just its binaries (`build`). */
import { once } from "node:events";
import { parseArgs } from "node:util";
import { BINARY_NAMES, ensureBinaries } from "./binaries.ts";
import { bootControlPlane } from "./boot.ts";
import { STAGES, startKwok } from "./kwok.ts";
import { createGpuNodes, type GpuKind, gpuNode, type NodeObject } from "./nodes.ts";

const USAGE = `usage: node test/controlplane/cli.ts build | up --dir DIR [options]
  build            finds or builds the binaries; what "up" and the tests need
  --dir DIR        where data, logs, kubeconfig and audit.log go
  --nodes LIST     fake GPU nodes, such as H200=2,GB300=4 (default: H20, H100, H200, B200 and GB300, 2 of each)
  --stages STAGES  fast (default), loading, or the path of a YAML file
  --no-audit       keep no audit log`;

const KINDS: readonly GpuKind[] = ["H20", "H100", "H200", "B200", "GB300"];
const DEFAULT_NODES = KINDS.map((kind) => `${kind}=2`).join(",");

/** `H200=2,GB300=4` as nodes named h200-0, h200-1, gb300-0, ... @throws Error on an unknown kind or count. */
function parseNodes(list: string): NodeObject[] {
  return list.split(",").flatMap((part) => {
    const [name, count] = part.split("=");
    const kind = KINDS.find((known) => known === name);
    if (kind === undefined || !/^\d+$/.test(count ?? "")) {
      throw new Error(`--nodes ${part}: expected KIND=COUNT with KIND one of ${KINDS.join(", ")}\n${USAGE}`);
    }
    return Array.from({ length: Number(count) }, (_, i) =>
      gpuNode({ kind, name: `${kind.toLowerCase()}-${i}` }),
    );
  });
}

function stagesPath(stages: string): string {
  return stages === "fast" || stages === "loading" ? STAGES[stages] : stages;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      dir: { type: "string" },
      nodes: { type: "string", default: DEFAULT_NODES },
      stages: { type: "string", default: "fast" },
      "no-audit": { type: "boolean", default: false },
    },
  });
  if (positionals.join(" ") === "build") {
    await ensureBinaries(BINARY_NAMES, (line) => console.error(line));
    return;
  }
  if (positionals.join(" ") !== "up" || values.dir === undefined) throw new Error(USAGE);
  const nodes = parseNodes(values.nodes);
  const asked = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  const controlPlane = await bootControlPlane({
    directory: values.dir,
    audit: !values["no-audit"],
    onProgress: (line) => console.error(line),
  });
  try {
    startKwok(controlPlane, { stages: stagesPath(values.stages) });
    await createGpuNodes(controlPlane, nodes);
    console.error(
      `${nodes.length} GPU nodes Ready; kubectl: ${controlPlane.binaries.kubectl}; Ctrl-C to stop`,
    );
    console.log(`export KUBECONFIG=${controlPlane.kubeconfig}`);
    await asked;
  } finally {
    await controlPlane.stop();
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
