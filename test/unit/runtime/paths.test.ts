import { expect, test } from "vitest";
import type { ApiResource } from "../../../charts/kubernetes.ts";
import { collectionPath, objectPath, withQuery } from "../../../operator/runtime/paths.ts";

const pods: ApiResource = { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true };
const roles: ApiResource = {
  group: "rbac.authorization.k8s.io",
  version: "v1",
  plural: "clusterroles",
  kind: "ClusterRole",
  namespaced: false,
};

test("paths follow group, scope and subresource; names keep their case", () => {
  expect(objectPath(pods, { namespace: "a", name: "b" }, "log")).toBe("/api/v1/namespaces/a/pods/b/log");
  expect(collectionPath(pods)).toBe("/api/v1/pods");
  expect(objectPath(roles, { name: "system:Admin" })).toBe(
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3AAdmin",
  );
});

test("a path that would reach further than one object is never built", () => {
  expect(() => objectPath(pods, { namespace: "a", name: "" })).toThrow("pods: the object's name is empty");
  expect(() => objectPath(pods, { name: "b" })).toThrow("pods b: a namespaced object needs its namespace");
  expect(objectPath(pods, { namespace: "a", name: "../nodes" })).toBe("/api/v1/namespaces/a/pods/..%2Fnodes");
});

test("parameters that are undefined or empty are left out", () => {
  expect(withQuery("/x", { a: undefined, b: "", c: 0, d: "k=v,w" })).toBe("/x?c=0&d=k%3Dv%2Cw");
  expect(withQuery("/x", { a: undefined })).toBe("/x");
});
