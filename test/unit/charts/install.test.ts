import type {
  V1ClusterRole,
  V1ClusterRoleBinding,
  V1Deployment,
  V1PolicyRule,
} from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { access } from "../../../charts/access.ts";
import { installObjects, operatorNamespaceObject } from "../../../charts/install.ts";
import { installValues } from "../../../charts/install-values.ts";
import type { KubeObject } from "../../../charts/kubernetes.ts";
import { sharedObjects } from "../../../charts/render.ts";
import { resourceOf } from "../../../charts/resources.ts";
import { twoNodePlan } from "./plans.ts";

const installed = (values: z.input<typeof installValues> = {}, namespace = "mimo-system"): KubeObject[] =>
  installObjects(installValues.parse(values), namespace);
const objects = installed();

function read<T>(kind: string, name: string, from = objects): T {
  const found = from.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return JSON.parse(JSON.stringify(found));
}
const namesOf = (kind: string, from = objects) =>
  from.filter((object) => object.kind === kind).map(({ metadata }) => metadata.name);
const operatorOf = (from: KubeObject[]) => {
  const [operator] =
    read<V1Deployment>("Deployment", "mimo-operator", from).spec?.template.spec?.containers ?? [];
  if (operator === undefined) throw new Error("no container");
  return operator;
};

const rulesOf = (kind: "ClusterRole" | "Role", name = "mimo-operator"): V1PolicyRule[] =>
  read<V1ClusterRole>(kind, name).rules ?? [];
const clusterRoles = ["mimo-operator", "mimo-operator-logs", "mimo-operator-nodes", "mimo-operator-platform"];
const allRules = [...rulesOf("Role"), ...clusterRoles.flatMap((name) => rulesOf("ClusterRole", name))];

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
    expect(clusterRoles.filter((name) => reads(rulesOf("ClusterRole", name)))).toEqual([
      "mimo-operator-logs",
    ]);
    expect(namesOf("ClusterRoleBinding")).toContain("mimo-operator-logs");
    expect(namesOf("ClusterRoleBinding", installed({ logAccess: false }))).not.toContain(
      "mimo-operator-logs",
    );
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
    expect(leases(clusterRoles.flatMap((name) => rulesOf("ClusterRole", name)))).toEqual([]);
    expect(leases(rulesOf("Role")).filter(({ verbs }) => verbs.includes("update"))).toMatchObject([
      { resourceNames: ["mimo-operator"] },
    ]);
  });
});

describe("the install", () => {
  test("can be applied from top to bottom: kinds before what uses them", () => {
    const order = objects.map(({ kind }) => kind);
    expect(order[0]).toBe("CustomResourceDefinition");
    expect(order.lastIndexOf("CustomResourceDefinition")).toBeLessThan(order.indexOf("Deployment"));
    expect(order.indexOf("ServiceAccount")).toBeLessThan(order.indexOf("Deployment"));
  });

  test("goes to the namespace that is asked for, bindings included", () => {
    const elsewhere = [...operatorNamespaceObject("platform"), ...installed({}, "platform")];
    expect(JSON.stringify(elsewhere)).not.toContain("mimo-system");
    expect(elsewhere[0]?.metadata).toMatchObject({
      name: "platform",
      labels: { "pod-security.kubernetes.io/enforce": "restricted" },
    });
  });

  test("keeps a second operator ready and tells each its name, by which one leads", () => {
    expect(read<V1Deployment>("Deployment", "mimo-operator").spec?.replicas).toBe(2);
    expect(operatorOf(objects).env?.map(({ name }) => name)).toEqual(["POD_NAME", "POD_NAMESPACE"]);
  });

  test("probes the port that the operator is told to listen on", () => {
    const operator = operatorOf(objects);
    const [port] = operator.ports ?? [];
    expect(operator.args).toContain(`--listen=0.0.0.0:${port?.containerPort}`);
    expect(operator.livenessProbe?.httpGet).toMatchObject({ path: "/healthz", port: port?.name });
    expect(operator.readinessProbe?.httpGet).toMatchObject({ path: "/readyz", port: port?.name });
  });

  test("pins the image by its digest where there is one", () => {
    const digest = `sha256:${"a".repeat(64)}`;
    expect(operatorOf(installed({ image: { repository: "r/m", tag: "1" } })).image).toBe("r/m:1");
    expect(operatorOf(installed({ image: { repository: "r/m", digest } })).image).toBe(`r/m@${digest}`);
  });
});

describe("the parts of an install", () => {
  const clusterPart = installed({ part: "cluster", nodeReaders: ["mimo-a"] }, "mimo-a");
  const namespacePart = installed({ part: "namespace", namespaces: ["team-a", "team-b"] }, "mimo-a");
  const names = (from: KubeObject[]) =>
    from.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`);

  test("are together what one operator for the cluster gets, save how its roles are bound", () => {
    const bindings = (name: string) => !name.includes("Binding ");
    expect([...names(clusterPart), ...names(namespacePart)].filter(bindings).sort()).toEqual(
      names(installed({}, "mimo-a")).filter(bindings).sort(),
    );
  });

  test("keep to their reach: everything of a cluster in one, everything of namespaces in the other", () => {
    expect(clusterPart.filter(({ metadata }) => metadata.namespace !== undefined)).toEqual([]);
    expect(namespacePart.filter(({ metadata }) => metadata.namespace === undefined)).toEqual([]);
  });

  test("tell an operator where it works, and bind its roles there and nowhere else", () => {
    expect(operatorOf(namespacePart).args).toContain("--namespaces=team-a,team-b");
    expect(names(namespacePart).filter((name) => name.startsWith("RoleBinding"))).toEqual([
      "RoleBinding mimo-a/mimo-operator",
      "RoleBinding team-a/mimo-operator-deployments",
      "RoleBinding team-a/mimo-operator-logs",
      "RoleBinding team-b/mimo-operator-deployments",
      "RoleBinding team-b/mimo-operator-logs",
    ]);
    const own = installed({ part: "namespace" }, "team-c");
    expect(operatorOf(own).args).toContain("--namespaces=team-c");
    expect(operatorOf(objects).args?.join(" ")).not.toContain("--namespaces");
  });

  test("let the operators that the cluster's administrator names read nodes, and no others", () => {
    const { subjects } = read<V1ClusterRoleBinding>("ClusterRoleBinding", "mimo-operator-nodes", clusterPart);
    expect(subjects).toEqual([{ kind: "ServiceAccount", name: "mimo-operator", namespace: "mimo-a" }]);
    const nobody = installed({ part: "cluster" });
    expect(namesOf("ClusterRoleBinding", nobody)).toEqual(["mimo-platform-view"]);
  });
});
