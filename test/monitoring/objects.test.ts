/** What `mimo monitoring` prints, judged by a real API server that knows the Prometheus operator's kinds. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { monitoringObjects } from "../../charts/monitoring/objects.ts";
import { toYaml } from "../../charts/yaml.ts";
import { bootServer, run, stopServer } from "../api/server.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { runGo } from "../controlplane/go-programs.ts";
import { untilEstablished } from "../controlplane/install.ts";

const modulePath = "github.com/prometheus-operator/prometheus-operator";
const downloaded = z.object({ Dir: z.string() });
const objects = monitoringObjects({ namespace: "mimo-system", runbooks: "https://git.example.com/runbooks" });

let server: ControlPlane;
beforeAll(async () => {
  const pin = join(import.meta.dirname, "prometheus-operator");
  const what = `${modulePath} has to be in Go's module cache`;
  const { Dir } = downloaded.parse(
    JSON.parse(await runGo(["mod", "download", "-json", modulePath], pin, { what })),
  );
  server = await bootServer();
  for (const kind of ["podmonitors", "prometheusrules"]) {
    const file = join(Dir, "example/prometheus-operator-crd", `monitoring.coreos.com_${kind}.yaml`);
    await run(server, ["apply", "--server-side", "-f", file]);
  }
  await untilEstablished(server);
  await run(server, ["create", "namespace", "mimo-system"]);
});
afterAll(() => stopServer(server));

test("every object is taken, with no field that its kind doesn't have", async () => {
  const said = await run(server, ["apply", "--server-side", "--validate=strict", "-f", "-"], toYaml(objects));
  expect(said.trim().split("\n")).toEqual([
    "podmonitor.monitoring.coreos.com/mimo-operator serverside-applied",
    "podmonitor.monitoring.coreos.com/mimo-operator-servers serverside-applied",
    "prometheusrule.monitoring.coreos.com/mimo-operator serverside-applied",
    "configmap/mimo-fleet-dashboard serverside-applied",
    "configmap/mimo-deployment-dashboard serverside-applied",
  ]);
});
