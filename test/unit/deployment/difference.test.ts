import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { firstDifference, mergePatch, overlay } from "../../../operator/deployment/difference.ts";

describe("an object is as desired", () => {
  test("when the server added defaults and others added labels", () => {
    const live = {
      metadata: { labels: { ours: "1", theirs: "2" } },
      spec: { replicas: 2, revisionHistoryLimit: 10 },
    };
    expect(
      firstDifference(live, { metadata: { labels: { ours: "1" } }, spec: { replicas: 2 } }),
    ).toBeUndefined();
  });

  test("when the server dropped what was empty or wrote a quantity its own way", () => {
    expect(firstDifference({ env: [{ name: "A" }] }, { env: [{ name: "A", value: "" }] })).toBeUndefined();
    expect(firstDifference({ memory: "1Gi", cpu: "500m" }, { memory: "1024Mi", cpu: "0.5" })).toBeUndefined();
    expect(firstDifference({}, { matchLabels: {}, list: [] })).toBeUndefined();
  });

  test("not when a value, a list or a removed key differs, and the path is said", () => {
    expect(firstDifference({ spec: { replicas: 3 } }, { spec: { replicas: 2 } })).toBe("spec.replicas");
    expect(firstDifference({ command: ["a", "b", "c"] }, { command: ["a", "b"] })).toBe("command");
    expect(firstDifference({ ports: [{ port: 1 }] }, { ports: [{ port: 2 }] })).toBe("ports[0].port");
    expect(firstDifference({ labels: {} }, { labels: { a: "b" } })).toBe("labels.a");
  });
});

test("an overlay keeps what the server and others own and replaces what is ours", () => {
  const live = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "pro", resourceVersion: "7", finalizers: ["x"], labels: { theirs: "2" } },
    spec: { clusterIP: "10.0.0.1", ports: [{ port: 1 }] },
  };
  const desired = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "pro", labels: { ours: "1" } },
    spec: { ports: [{ port: 2 }] },
  };
  expect(overlay(live, desired)).toEqual({
    ...live,
    metadata: { ...live.metadata, labels: { theirs: "2", ours: "1" }, annotations: {} },
    spec: { clusterIP: "10.0.0.1", ports: [{ port: 2 }] },
  });
});

/** RFC 7386, as the API server applies it. */
function applied(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const base = typeof target === "object" && target !== null && !Array.isArray(target) ? target : {};
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = applied(result[key], value);
  }
  return result;
}

test("a merge patch leads from any object to any other, and there is none between equals", () => {
  const leaf = fc.oneof(fc.integer(), fc.string(), fc.boolean());
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.array(leaf, { maxLength: 3 }),
      fc.dictionary(fc.constantFrom("a", "b", "c"), tie("tree")),
    ),
  }));
  const object = fc.dictionary(fc.constantFrom("a", "b", "c"), tree, { noNullPrototype: true });
  fc.assert(
    fc.property(object, object, (from, to) => {
      const patch = mergePatch(from, to);
      expect(applied(from, patch ?? {})).toEqual(to);
      expect(mergePatch(to, to)).toBeUndefined();
    }),
  );
});
