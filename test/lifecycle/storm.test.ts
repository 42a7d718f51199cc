import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readAudit } from "../controlplane/audit.ts";
import { inject, podFaults } from "../controlplane/faults.ts";
import { gpuNode } from "../controlplane/nodes.ts";
import { startCluster, type TestCluster } from "../e2e/cluster.ts";
import { operatorUser, type RunningOperator, startOperator } from "../e2e/operator.ts";
import { areReady } from "../faults/tell.ts";
import { deploymentName, pro } from "./stories.ts";

/** `npm run test:lifecycle`: a hundred deployments and five minutes of failures. */
const full = process.env.LIFECYCLE === "full";
const deployments = full ? 100 : 10;
const failures = full ? 300 : 30;
const secondsBetween = full ? 1 : 0.5;

const ranksPerGroup = 2;
const nodes = [0, 1, 2, 3].map((index) => gpuNode({ kind: "H20", name: `gpu-${index}`, gpus: 4096 }));
let cluster: TestCluster;
let operator: RunningOperator;

beforeAll(async () => {
  cluster = await startCluster(nodes);
  operator = await startOperator(cluster.controlPlane);
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});

const failure = fc.record({
  victim: fc.nat(deployments - 1),
  rank: fc.nat(ranksPerGroup - 1),
  fault: fc.constantFrom(...podFaults, "eviction" as const),
});

test("failures all over cost no more pods than they hit groups, and all come back", async () => {
  const namespaces = Array.from({ length: deployments }, (_, index) => `team-${index}`);
  for (const namespace of namespaces) {
    await cluster.namespace(namespace);
    await cluster.apply(namespace, deploymentName, { ...pro, recovery: { maxRestarts: 100 } });
  }
  await areReady(cluster, new Set(namespaces));
  const from = new Date();
  const drawn = fc.sample(failure, failures);
  let injected = 0;
  for (const { victim, rank, fault } of drawn) {
    const namespace = `team-${victim}`;
    if (await inject(cluster.controlPlane, fault, { namespace, name: `${deploymentName}-0-${rank}` }))
      injected += 1;
    await delay(secondsBetween * 1000);
  }
  // A group that was hit again and again waits for up to five minutes before it is rebuilt.
  await areReady(cluster, new Set(namespaces), 600);
  const deletes = await readAudit(
    cluster.controlPlane.auditLog,
    ({ user, verb, resource, code, time }) =>
      user === operatorUser && verb === "delete" && resource === "pods" && code < 300 && time >= from,
  );
  console.info(`${injected} failures in ${deployments} deployments: ${deletes.length} pods deleted`);
  expect(injected).toBeGreaterThan(failures / 2);
  expect(deletes.length).toBeLessThanOrEqual(injected * ranksPerGroup);
}, 1_200_000);
