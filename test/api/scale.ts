import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { DeploymentStatus } from "../../crds/status.ts";
import { askApi, callApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { deployment } from "./documents.ts";
import { eventually, run } from "./server.ts";

const path = (name: string) => `/apis/mimo.dev/v1alpha1/namespaces/default/mimodeployments/${name}`;

const scaleShape = z.object({
  metadata: z.looseObject({}),
  spec: z.object({ replicas: z.number() }),
  status: z.object({ replicas: z.number(), selector: z.string().optional() }),
});
const autoscalerShape = z.object({
  status: z
    .object({
      desiredReplicas: z.number().optional(),
      conditions: z.array(z.object({ type: z.string(), status: z.string(), reason: z.string() })).optional(),
    })
    .optional(),
});

/** A status with everything in it, as the operator would write it. */
const status = (replicas: number, selector: string): DeploymentStatus => ({
  observedGeneration: 1,
  replicas,
  readyReplicas: replicas,
  updatedReplicas: replicas,
  selector,
  nextGroupId: replicas,
  endpoint: "http://mimo.default.svc.cluster.local:30000/v1",
  plan: {
    revision: "5f6d7c8b9",
    runtime: "day0",
    image: "lmsysorg/sglang:v0.5.18",
    nodes: 1,
    gpusPerNode: 8,
    tensorParallel: 8,
    dataParallel: 2,
    expertParallel: 8,
    command: "python3 -m sglang.launch_server --tp-size 8",
    memory: {
      weightsGibPerGpu: "38.20",
      kvGibPerGpu: "61.10",
      tokensPerDataParallelRank: 1_400_000,
      contextLength: 1_048_576,
    },
    provenance: "Published",
    warnings: ["the cache is lost with the pod"],
  },
  groups: [
    {
      id: 0,
      revision: "5f6d7c8b9",
      state: "Ready",
      readyRanks: 1,
      ranks: 1,
      nodes: ["h200-0"],
    },
  ],
  conditions: [
    {
      type: "Ready",
      status: "True",
      reason: "AllGroupsReady",
      message: "All groups are Ready.",
      observedGeneration: 1,
      lastTransitionTime: "2026-01-02T03:04:05Z",
    },
  ],
});

/** Scaling, by hand and by an autoscaler, of a deployment whose file leaves replicas out. */
export function describeScale(server: () => ControlPlane): void {
  const scaleOf = async (name: string) =>
    scaleShape.parse(await callApi(server(), `${path(name)}/scale`, { method: "GET" }));
  const file = (name: string, spec: object = {}) =>
    JSON.stringify(deployment(spec, { name, namespace: "default" }));

  describe("the scale of a deployment whose file leaves replicas out", () => {
    test("is one group, and tells an autoscaler which pods to measure", async () => {
      await run(server(), ["apply", "-f", "-"], file("scaled"));
      expect(await scaleOf("scaled")).toMatchObject({ spec: { replicas: 1 }, status: { replicas: 0 } });
      const current = z.looseObject({}).parse(await callApi(server(), path("scaled"), { method: "GET" }));
      const strict = `${path("scaled")}/status?fieldValidation=Strict`;
      const written = { ...current, status: status(1, "mimo.dev/deployment=scaled") };
      const answer = await askApi(server(), strict, { method: "PUT", body: written });
      expect(answer).toMatchObject({ status: 200 });
      const { status: told } = await scaleOf("scaled");
      expect(told).toEqual({ replicas: 1, selector: "mimo.dev/deployment=scaled" });
      expect(await run(server(), ["get", "mimo", "scaled", "-o", "wide"])).toMatch(
        /MiMo-V2\.5\s+H200\s+1\s+1\s+AllGroupsReady\s+\S+\s+lmsysorg\/sglang:v0\.5\.18\s+8\s+2\s+1/,
      );
    });

    test.each([
      ["client-side", []],
      ["server-side", ["--server-side"]],
      ["server-side and forced", ["--server-side", "--force-conflicts"]],
    ])("stays where it was put when the file is applied again (%s)", async (title, flags) => {
      const name = title.replaceAll(" ", "-");
      const apply = (spec?: object) => run(server(), ["apply", ...flags, "-f", "-"], file(name, spec));
      await apply();
      const scale = await scaleOf(name);
      const wanted = { ...scale, apiVersion: "autoscaling/v1", kind: "Scale", spec: { replicas: 3 } };
      await callApi(server(), `${path(name)}/scale`, { method: "PUT", body: wanted });
      expect((await scaleOf(name)).spec).toEqual({ replicas: 3 });
      await apply();
      expect((await scaleOf(name)).spec).toEqual({ replicas: 3 });
      await apply({ profile: "Latency" });
      expect((await scaleOf(name)).spec).toEqual({ replicas: 3 });
    });

    test("is read and set by a HorizontalPodAutoscaler", { timeout: 120_000 }, async () => {
      await run(server(), ["apply", "-f", "-"], file("autoscaled"));
      const autoscaler = {
        apiVersion: "autoscaling/v2",
        kind: "HorizontalPodAutoscaler",
        metadata: { name: "autoscaled", namespace: "default" },
        spec: {
          scaleTargetRef: { apiVersion: "mimo.dev/v1alpha1", kind: "MiMoDeployment", name: "autoscaled" },
          minReplicas: 2,
          maxReplicas: 4,
          metrics: [
            {
              type: "Resource",
              resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } },
            },
          ],
        },
      };
      await run(server(), ["apply", "-f", "-"], JSON.stringify(autoscaler));
      const read = async () => {
        const text = await run(server(), ["get", "hpa", "autoscaled", "-o", "json"]);
        return autoscalerShape.parse(JSON.parse(text)).status;
      };
      // The controller manager looks for new kinds every 30 s.
      const seen = await eventually(90, read, (answer) => answer?.desiredReplicas === 2);
      expect(seen?.conditions).toContainEqual({
        type: "AbleToScale",
        status: "True",
        reason: expect.any(String),
      });
      expect((await scaleOf("autoscaled")).spec).toEqual({ replicas: 2 });
      await run(server(), ["apply", "-f", "-"], file("autoscaled"));
      expect((await scaleOf("autoscaled")).spec).toEqual({ replicas: 2 });
    });
  });
}
