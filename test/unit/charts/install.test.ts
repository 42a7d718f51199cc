import type { V1ClusterRole, V1Deployment, V1Namespace, V1PolicyRule } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { access } from "../../../charts/access.ts";
import { installObjects } from "../../../charts/install.ts";
import { sharedObjects } from "../../../charts/render.ts";
import { resourceOf } from "../../../charts/resources.ts";
import { twoNodePlan } from "./plans.ts";

const image = "registry.example.com/mimo-operator:0.1.0";
const objects = installObjects({ image });

function read<T>(kind: string, name: string, from = objects): T {
  const found = from.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return JSON.parse(JSON.stringify(found));
}

const rulesOf = (kind: "ClusterRole" | "Role", name = "mimo-operator"): V1PolicyRule[] =>
  read<V1ClusterRole>(kind, name).rules ?? [];
const allRules = [
  ...rulesOf("ClusterRole"),
  ...rulesOf("Role"),
  ...rulesOf("ClusterRole", "mimo-operator-logs"),
];

describe("the operator's permissions", () => {
  test("are those of the table, no more and no less", () => {
    const granted = allRules.map(({ apiGroups, resources, verbs, resourceNames }) => ({
      apiGroups,
      resources,
      verbs,
      resourceNames,
    }));
    const table = access.map(({ resource, subresource, verbs, names }) => ({
      apiGroups: [resource.group],
      resources: [[resource.plural, subresource].filter((part) => part !== undefined).join("/")],
      verbs,
      resourceNames: names,
    }));
    expect(granted).toHaveLength(table.length);
    expect(granted).toEqual(expect.arrayContaining(table));
  });

  test("keep logs in a role of their own, that nobody is bound to when it is left out", () => {
    const reads = (rules: V1PolicyRule[]) => rules.some(({ resources }) => resources?.includes("pods/log"));
    expect([...rulesOf("ClusterRole"), ...rulesOf("Role")].filter((rule) => reads([rule]))).toEqual([]);
    expect(reads(rulesOf("ClusterRole", "mimo-operator-logs"))).toBe(true);
    const bindings = (from: typeof objects) =>
      from.filter(({ kind }) => kind === "ClusterRoleBinding").map(({ metadata }) => metadata.name);
    expect(bindings(objects)).toEqual(["mimo-operator", "mimo-operator-logs"]);
    expect(bindings(installObjects({ image, logAccess: false }))).toEqual(["mimo-operator"]);
  });

  test("reach no Secret and hold no wildcard", () => {
    const words = allRules.flatMap((rule) => [
      ...(rule.apiGroups ?? []),
      ...(rule.resources ?? []),
      ...rule.verbs,
    ]);
    expect(words).not.toContain("*");
    expect(words).not.toContain("secrets");
  });

  test("name each resource and subresource once for the same objects", () => {
    const keys = access.map(({ resource, subresource, names }) =>
      [resource.group, resource.plural, subresource, names].join(),
    );
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("let it create whatever is rendered for a deployment", () => {
    for (const object of sharedObjects(twoNodePlan())) {
      const granted = access.find(({ resource }) => resource === resourceOf(object));
      expect(granted?.verbs).toEqual(expect.arrayContaining(["create", "update", "delete"]));
    }
  });

  test("end at its own namespace for Leases", () => {
    const leases = (rules: V1PolicyRule[]) => rules.filter(({ resources }) => resources?.includes("leases"));
    expect(leases(rulesOf("ClusterRole"))).toEqual([]);
    expect(leases(rulesOf("Role")).filter(({ verbs }) => verbs.includes("update"))).toMatchObject([
      { resourceNames: ["mimo-operator"] },
    ]);
  });
});

describe("the install", () => {
  test("can be applied from top to bottom: namespace and kinds before what uses them", () => {
    const order = objects.map(({ kind }) => kind);
    expect(order[0]).toBe("Namespace");
    expect(order.lastIndexOf("CustomResourceDefinition")).toBeLessThan(order.indexOf("Deployment"));
    expect(order.indexOf("ServiceAccount")).toBeLessThan(order.indexOf("Deployment"));
  });

  test("goes to the namespace that is asked for, bindings included", () => {
    const elsewhere = installObjects({ image, namespace: "platform" });
    expect(JSON.stringify(elsewhere)).not.toContain("mimo-system");
    expect(read<V1Namespace>("Namespace", "platform", elsewhere).metadata?.labels).toMatchObject({
      "pod-security.kubernetes.io/enforce": "restricted",
    });
  });

  test("keeps a second operator ready and tells each its name, by which one leads", () => {
    const { spec } = read<V1Deployment>("Deployment", "mimo-operator");
    expect(spec?.replicas).toBe(2);
    expect(spec?.template.spec?.containers[0]?.env?.map(({ name }) => name)).toEqual([
      "POD_NAME",
      "POD_NAMESPACE",
    ]);
  });

  test("probes the port that the operator is told to listen on", () => {
    const [operator] =
      read<V1Deployment>("Deployment", "mimo-operator").spec?.template.spec?.containers ?? [];
    const [port] = operator?.ports ?? [];
    expect(operator?.args).toEqual(["--listen", `0.0.0.0:${port?.containerPort}`]);
    expect(operator?.livenessProbe?.httpGet).toMatchObject({ path: "/healthz", port: port?.name });
    expect(operator?.readinessProbe?.httpGet).toMatchObject({ path: "/readyz", port: port?.name });
  });
});
