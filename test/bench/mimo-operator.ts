import type { KubeObject } from "../../charts/kubernetes.ts";
import { annotations, labels } from "../../charts/names.ts";
import { controllerRevision } from "../../charts/render.ts";
import { freeze } from "../../charts/revision.ts";
import { deploymentSpec } from "../../crds/deployment.ts";
import { specHash } from "../../operator/deployment/frozen.ts";
import { planDeployment } from "../../synth/plan.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import { callApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { deploymentsPath } from "../e2e/cluster.ts";
import { operatorUser, startOperator } from "../e2e/operator.ts";
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

/**
 * This operator, run as its own ServiceAccount. Where the catalogue has no group of the size, the frozen plan is put there
 * by hand before the request: groups run from what is frozen, whatever today's catalogue says.
 */
export async function startMimoOperator(controlPlane: ControlPlane): Promise<GroupSystem> {
  const operator = await startOperator(controlPlane);
  const create = (path: string, body: object): Promise<unknown> =>
    callApi(controlPlane, path, { method: "POST", body });
  return {
    name: "mimo-operator",
    short: "mimo",
    user: operatorUser,
    labels: { group: labels.deployment, rank: labels.podIndex, revision: labels.revision },
    formation: annotations.formation,
    createGroups: async (groups, size) => {
      for (const group of groups) {
        const { namespace, name } = group;
        const revisions = `/apis/apps/v1/namespaces/${namespace}/controllerrevisions`;
        if (size !== catalogueNodes) await create(revisions, frozenRevision(group, size));
        await create(deploymentsPath(namespace), {
          apiVersion: "mimo.dev/v1alpha1",
          kind: "MiMoDeployment",
          metadata: { namespace, name },
          spec: request,
        });
      }
    },
    stop: async () => {
      await operator.stop();
    },
  };
}

function frozenRevision(group: GroupRef, nodes: number): KubeObject {
  const plan = planOf(group, nodes);
  const { revision, template } = freeze(plan);
  const intent = specHash(deploymentSpec.parse(request));
  return controllerRevision({ plan, template, revision, number: 1, specHash: intent });
}
