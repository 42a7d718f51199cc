import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Access, access } from "../../charts/access.ts";
import { callApi } from "../controlplane/api.ts";
import { readAudit } from "../controlplane/audit.ts";
import { eventually } from "../e2e/eventually.ts";
import { addressOf } from "../e2e/metrics.ts";
import { operatorUser } from "../e2e/operator.ts";
import { deploymentName, pro } from "../lifecycle/stories.ts";
import { type OwnStage, startStage } from "./calm.ts";
import { isFull, points } from "./scope.ts";
import { areReady, rest, sweep, workers } from "./tell.ts";

let stage: OwnStage;

beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage?.stop());

const setRules = (name: string, rules: unknown): Promise<unknown> =>
  callApi(stage.cluster.controlPlane, `${rolesPath}/${name}`, {
    method: "PATCH",
    body: { rules },
    contentType: "application/merge-patch+json",
  });

const rolesShape = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      rules: z
        .array(
          z.looseObject({
            apiGroups: z.array(z.string()).default([]),
            resources: z.array(z.string()).default([]),
            verbs: z.array(z.string()),
          }),
        )
        .nullish(),
    }),
  ),
});
const rolesPath = "/apis/rbac.authorization.k8s.io/v1/clusterroles";

/** Takes one permission away, whichever of the operator's roles it is in. @returns what gives it back */
async function withhold({ resource, subresource }: Access, verb: string): Promise<() => Promise<void>> {
  const { items } = rolesShape.parse(await callApi(stage.cluster.controlPlane, rolesPath));
  const plural = subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`;
  const isMeant = ({
    resources,
    apiGroups,
    verbs,
  }: {
    resources: string[];
    apiGroups: string[];
    verbs: string[];
  }) => resources.includes(plural) && apiGroups.includes(resource.group) && verbs.includes(verb);
  const roles = items.flatMap(({ metadata: { name }, rules }) =>
    name.startsWith("mimo-operator") && rules?.some(isMeant) ? [{ name, rules }] : [],
  );
  if (roles.length === 0) throw new Error(`no role of the operator's allows ${verb} ${plural}`);
  for (const { name, rules } of roles) {
    const fewer = rules.map((rule) =>
      isMeant(rule) ? { ...rule, verbs: rule.verbs.filter((each) => each !== verb) } : rule,
    );
    await setRules(
      name,
      fewer.filter(({ verbs }) => verbs.length > 0),
    );
  }
  return async () => {
    for (const { name, rules } of roles) await setRules(name, rules);
  };
}

const needed = access.filter(
  ({ reach, optional, subresource, resource }) =>
    reach === "Cluster" && optional !== true && subresource !== "finalizers" && resource.plural !== "events",
);
const permissions = needed.flatMap((entry) =>
  entry.verbs.map((verb) => ({
    entry,
    verb,
    name: `${verb} ${entry.resource.plural}${entry.subresource === undefined ? "" : `/${entry.subresource}`}`,
  })),
);
const sample = ["create statefulsets", "patch pods", "watch nodes"];

describe("a permission that is taken away", () => {
  test.for(permissions.filter(({ name }) => isFull || sample.includes(name)))(
    "$name: the operator neither crashes nor spins, others go on, and all is well when it is back",
    async ({ entry, verb, name }, { task }) => {
      const { cluster, proxy, operators } = stage;
      const [there, later] = [
        `has-${permissions.findIndex((each) => each.name === name)}`,
        `lacks-${permissions.findIndex((each) => each.name === name)}`,
      ];
      await cluster.namespace(there);
      await cluster.apply(there, deploymentName, pro);
      await areReady(cluster, new Set([there]));
      const giveBack = await withhold(entry, verb);
      const reads = verb === "list" || verb === "watch";
      if (reads) await operators.stop();
      const running = reads
        ? operators.start({ server: proxy.server, workers })
        : Promise.resolve(operators.current());
      const before = proxy.all.length;
      await cluster.namespace(later);
      await cluster.apply(later, deploymentName, pro);
      await cluster.apply(there, deploymentName, { ...pro, contextLength: 65_536 });
      const operator = await running;
      const outcome = await eventually("it was refused, or had no need of it", async () => {
        const denied = await readAudit(
          cluster.controlPlane.auditLog,
          ({ user, code, resource, verb: asked }) =>
            user === operatorUser && code === 403 && resource === entry.resource.plural && asked === verb,
        );
        if (denied.length > 0) return "refused";
        await areReady(cluster, new Set([there, later]), 1);
        return "no need";
      });
      // The MiMoPlatform may be read by everybody.
      if (verb === "list" && outcome === "refused")
        expect((await fetch(`${await addressOf(operator)}/readyz`)).status).toBe(500);
      expect(operator.process.exitCode).toBeNull();
      await giveBack();
      await areReady(cluster, new Set([there, later]));
      expect(proxy.all.length - before).toBeLessThan(200);
      expect(await rest(stage)).toEqual([]);
      points(task, 31);
      await sweep(stage, [{ namespace: there }, { namespace: later }]);
    },
  );
});
