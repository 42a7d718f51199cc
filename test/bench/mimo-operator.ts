import { join } from "node:path";
import { bundle } from "../../build/bundle.ts";
import { apiVersionOf, type KubeObject } from "../../charts/kubernetes.ts";
import { annotations, labels } from "../../charts/names.ts";
import { controllerRevision } from "../../charts/render.ts";
import { resources } from "../../charts/resources.ts";
import { freeze } from "../../charts/revision.ts";
import { deploymentSpec } from "../../crds/deployment.ts";
import { specHash } from "../../operator/deployment/frozen.ts";
import { collectionPath } from "../../operator/runtime/paths.ts";
import { planDeployment } from "../../synth/plan.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import { callApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { metricsText } from "../e2e/metrics.ts";
import { operatorUser, type RunningOperator, startOperator } from "../e2e/operator.ts";
import type { GroupRef } from "./group-pods.ts";
import type { GroupSystem } from "./group-system.ts";

/** A request that the catalogue resolves to groups of two nodes. */
const request = { variant: "MiMo-V2.5-Pro", hardware: "H20" } as const;
export const requestHardware = request.hardware;
const catalogueNodes = 2;

/** The plan of the request, with as many nodes as asked for. */
export function planOf({ namespace, name }: GroupRef, nodes: number): ServingPlan {
  const result = planDeployment({ name, namespace, spec: deploymentSpec.parse(request) }, undefined);
  if (!result.accepted) throw new Error(`the catalogue refuses ${JSON.stringify(request)}`);
  if (result.plan.nodes !== catalogueNodes)
    throw new Error(`the catalogue has ${result.plan.nodes} nodes per group of ${JSON.stringify(request)}`);
  return { ...result.plan, nodes };
}

export interface MimoOperator extends GroupSystem {
  /** False once its process has ended, whoever ended it. */
  isRunning(): boolean;
  /** Starts it again after a stop, with another time between two looks at everything. */
  start(resyncSeconds?: number): Promise<void>;
}

/** As the image sets it: of the container's limit of 512 MiB. */
const nodeArgs = [
  `--max-old-space-size=${Math.floor(0.65 * 512)}`,
  "--max-semi-space-size=8",
  "--initial-old-space-size=128",
];

/**
 * This operator, run as its own ServiceAccount: the one file that is shipped, with the heap that it has in its container.
 * Where the catalogue has no group of the size, the frozen plan is put there by hand before the request: groups run from
 * what is frozen, whatever today's catalogue says.
 */
export async function startMimoOperator(controlPlane: ControlPlane): Promise<MimoOperator> {
  const folder = join(controlPlane.directory, "operator");
  await bundle(folder);
  let starts = 0;
  let running: RunningOperator | undefined;
  const current = (): RunningOperator => {
    if (running === undefined) throw new Error("the operator doesn't run");
    return running;
  };
  const start = async (resyncSeconds?: number): Promise<void> => {
    starts += 1;
    running = await startOperator(controlPlane, {
      name: `operator-${starts}`,
      nodeArgs,
      program: [join(folder, "mimo.mjs"), "operator"],
      ...(resyncSeconds === undefined ? {} : { resyncSeconds }),
    });
  };
  await start();
  const create = (path: string, body: object): Promise<unknown> =>
    callApi(controlPlane, path, { method: "POST", body });
  return {
    name: "mimo-operator",
    short: "mimo",
    user: operatorUser,
    resource: resources.mimoDeployments,
    statefulSets: 1,
    reconcilers: ["mimodeployment"],
    labels: { group: labels.deployment, rank: labels.podIndex, revision: labels.revision },
    formation: annotations.formation,
    objectOf: deploymentOf,
    createGroups: async (groups, size) => {
      // All of them first: the operator has to see what is frozen before it sees the request.
      if (size !== catalogueNodes)
        for (const group of groups)
          await create(
            collectionPath(resources.controllerRevisions, group.namespace),
            frozenRevision(group, size),
          );
      for (const group of groups)
        await create(collectionPath(resources.mimoDeployments, group.namespace), deploymentOf(group));
    },
    isRunning: () => running?.process.exitCode === null,
    get pid() {
      const { pid } = current().process;
      if (pid === undefined) throw new Error("the operator has no process id");
      return pid;
    },
    metrics: () => metricsText(current()),
    stop: async () => {
      const ending = current();
      running = undefined;
      await ending.stop();
    },
    start,
  };
}

const deploymentOf = ({ namespace, name }: GroupRef): KubeObject & { readonly spec: object } => ({
  apiVersion: apiVersionOf(resources.mimoDeployments),
  kind: resources.mimoDeployments.kind,
  metadata: { namespace, name },
  spec: request,
});

function frozenRevision(group: GroupRef, nodes: number): KubeObject {
  const plan = planOf(group, nodes);
  const { revision, template } = freeze(plan);
  const intent = specHash(deploymentSpec.parse(request));
  return controllerRevision({ plan, template, revision, number: 1, specHash: intent });
}
