import { expect, test } from "vitest";
import { recordWrites } from "../../bench/floor.ts";
import type { AuditRecord } from "../../controlplane/audit.ts";
import { metricTotal } from "../../e2e/metrics.ts";

const owner = { ownerReferences: [{ uid: "uid-of-g1" }] };

function record(second: number, verb: string, resource: string, name: string, body: unknown): AuditRecord {
  return {
    time: new Date(Date.UTC(2026, 10, 22, 12, 0, second)),
    user: "operator",
    verb,
    group: resource === "statefulsets" ? "apps" : "",
    resource,
    subresource: "",
    namespace: "bench-mimo",
    name,
    code: 201,
    unauthorized: false,
    mutating: true,
    dryRun: false,
    userAgent: "",
    requestObject: body,
  };
}

test("the writes of the group with the middling number of them are recorded, in their order", () => {
  const patch = [
    { op: "test", path: "/metadata/uid", value: "uid-of-a-pod" },
    { op: "remove", path: "/spec/schedulingGates" },
  ];
  const audit = [
    record(3, "patch", "pods", "g1-0-0", patch),
    record(1, "create", "services", "g1", { metadata: owner }),
    record(2, "create", "statefulsets", "g1-0", { metadata: owner }),
    record(1, "create", "services", "g0", { metadata: owner }),
    ...[1, 2, 3, 4].map((second) => record(second, "patch", "pods", "g2-0-0", { metadata: {} })),
  ];
  const groups = ["g0", "g1", "g2"].map((name) => ({ namespace: "bench-mimo", name }));
  const { group, ownerUid, writes } = recordWrites(audit, groups);
  expect({ group: group.name, ownerUid }).toEqual({ group: "g1", ownerUid: "uid-of-g1" });
  expect(writes.map(({ method, path }) => `${method} ${path}`)).toEqual([
    "POST /api/v1/namespaces/bench-mimo/services?fieldManager=floor",
    "POST /apis/apps/v1/namespaces/bench-mimo/statefulsets?fieldManager=floor",
    "PATCH /api/v1/namespaces/bench-mimo/pods/g1-0-0?fieldManager=floor",
  ]);
  // Another pod has the name in the second run.
  expect(writes.at(-1)).toMatchObject({
    body: JSON.stringify([{ op: "remove", path: "/spec/schedulingGates" }]),
    contentType: "application/json-patch+json",
  });
});

test("a metric is summed over its samples, and never with one whose name only begins alike", () => {
  const text = [
    "# HELP reconciles of all",
    'reconciles{controller="a",result="success"} 3',
    'reconciles{controller="a",result="error"} 1',
    'reconciles{controller="b",result="success"} 5',
    'reconciles_total{controller="a"} 100',
    "depth 2",
  ].join("\n");
  expect(metricTotal(text, "reconciles")).toBe(9);
  expect(metricTotal(text, "reconciles", ["controller", "a"])).toBe(4);
  expect(metricTotal(text, "depth")).toBe(2);
  expect(metricTotal(text, "absent")).toBe(0);
});
