import { App, Chart } from "cdk8s";
import { k8s } from "cdk8s-plus-28";
import type { Construct } from "constructs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { disruptionBudget } from "../../../charts/disruption-budget.ts";
import { networkPolicy } from "../../../charts/network-policy.ts";
import { operatorBudget, operatorNetworkPolicy } from "../../../charts/operator-surroundings.ts";
import {
  nodeReadersBinding,
  operatorClusterBindings,
  operatorClusterRoles,
  operatorNamespaceRbac,
} from "../../../charts/rbac.ts";
import { apiService, ranksService } from "../../../charts/services.ts";
import { type Manifest, typedObject } from "../../../charts/typed-object.ts";
import { userRoles } from "../../../charts/user-roles.ts";
import { servingPlan } from "./plans.ts";

const newChart = (): Chart => new Chart(new App(), "chart");

/** What a construct was given, in Kubernetes' own spelling. */
function given(value: unknown): unknown {
  if (value instanceof k8s.IntOrString || value instanceof k8s.Quantity) return value.value;
  if (Array.isArray(value)) return value.map(given);
  if (typeof value !== "object" || value === null) return value;
  const spelling: Readonly<Record<string, string>> = { clusterIp: "clusterIP" };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [spelling[key] ?? key, given(item)]));
}

describe("cdk8s-plus-28 renders all that it is given", () => {
  const builders: Readonly<Record<string, (scope: Construct) => void>> = {
    "the ranks' Service": (scope) => ranksService(scope, servingPlan()),
    "the API's Service": (scope) => apiService(scope, servingPlan()),
    "the disruption budget": (scope) => disruptionBudget(scope, servingPlan()),
    "the network policy": (scope) => networkPolicy(scope, servingPlan()),
    "the operator's roles": operatorClusterRoles,
    "the operator's bindings": (scope) => {
      const binding = { operatorNamespace: "mimo-system", logAccess: true };
      operatorClusterBindings(scope, { ...binding, namespaces: undefined });
      operatorNamespaceRbac(scope, { ...binding, namespaces: ["team-a"] });
      nodeReadersBinding(scope, ["mimo-team-a"]);
    },
    "the users' roles": userRoles,
    "the operator's disruption budget": (scope) => operatorBudget(scope, "mimo-system"),
    "the operator's network policy": (scope) => operatorNetworkPolicy(scope, "mimo-system"),
  };

  test.each(Object.keys(builders))("%s", (name) => {
    const chart = newChart();
    builders[name]?.(chart);
    expect(chart.apiObjects).not.toHaveLength(0);
    for (const object of chart.apiObjects)
      expect(object.toJson()).toEqual(given(Reflect.get(object, "props")));
  });

  test("which it would not for a pod's newer fields: they are why StatefulSets are typed otherwise", () => {
    const volume = { name: "model", image: { reference: "registry.example.com/m:1" } };
    const pod = new k8s.KubePod(newChart(), "Pod", { spec: { containers: [], volumes: [volume] } });
    expect(pod.toJson().spec.volumes).toEqual([{ name: "model" }]);
  });
});

describe("a typed object", () => {
  const json = fc.jsonValue({ maxDepth: 4 });

  test("renders exactly what it was given", () => {
    fc.assert(
      fc.property(json, (spec) => {
        const manifest = { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "a" }, spec };
        const rendered = typedObject<{ spec: unknown }>(newChart(), manifest).toJson();
        expect(JSON.parse(JSON.stringify(rendered))).toEqual(JSON.parse(JSON.stringify(manifest)));
      }),
    );
  });

  test("renders the same bytes in whatever order its keys were written", () => {
    const rendered = (manifest: Manifest<{ spec: unknown }>) =>
      JSON.stringify(typedObject(newChart(), manifest).toJson());
    const metadata = { name: "a", labels: { x: "1", y: "2" } };
    const one = rendered({ apiVersion: "v1", kind: "One", metadata, spec: { a: 1, b: [{ c: 1, d: 2 }] } });
    const other = rendered({ spec: { b: [{ d: 2, c: 1 }], a: 1 }, metadata, kind: "One", apiVersion: "v1" });
    expect(other).toBe(one);
  });
});
