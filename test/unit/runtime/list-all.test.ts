import { afterEach, expect, test } from "vitest";
import type { ApiResource } from "../../../charts/kubernetes.ts";
import { createClient } from "../../../operator/runtime/client.ts";
import { listAll } from "../../../operator/runtime/list-all.ts";
import { createFakeClock } from "./fake-clock.ts";
import { type Answer, json, type ScriptedServer, startScriptedServer, status } from "./scripted-server.ts";

const pods: ApiResource = { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true };
const page = (names: string[], resourceVersion: string, next?: string) => ({
  metadata: { resourceVersion, continue: next },
  items: names.map((name) => ({ metadata: { name } })),
});

let server: ScriptedServer | undefined;
afterEach(() => server?.close());

async function list(answer: Answer, notOlderThan?: string) {
  const clock = createFakeClock();
  server = await startScriptedServer(clock, answer);
  const client = createClient(server.connection, {
    userAgent: "t",
    fieldManager: "t",
    clock,
    random: () => 0,
  });
  const { signal } = new AbortController();
  const { items: names, resourceVersion } = await listAll(client, pods, {
    read: ({ metadata }) => metadata.name,
    signal,
    notOlderThan,
    labelSelector: "a=b",
  });
  const queries = server.seen.map((each) => Object.fromEntries(each.query));
  return { names, resourceVersion, queries };
}

test("pages are joined; only the first names the version, every one the selector", async () => {
  const { names, resourceVersion, queries } = await list(
    ({ query }, response) =>
      json(
        response,
        200,
        query.get("continue") === "next" ? page(["c"], "7") : page(["a", "b"], "7", "next"),
      ),
    "5",
  );
  expect(names).toEqual(["a", "b", "c"]);
  expect(resourceVersion).toBe("7");
  expect(queries).toEqual([
    { labelSelector: "a=b", limit: "200", resourceVersion: "5", resourceVersionMatch: "NotOlderThan" },
    { labelSelector: "a=b", limit: "200", continue: "next" },
  ]);
});

test("a snapshot that expires between two pages is replaced by one whole list, never joined with another", async () => {
  const { names, resourceVersion } = await list(({ query }, response) => {
    if (query.get("continue") !== null) json(response, 410, status(410, "Expired", "continue token expired"));
    else json(response, 200, query.get("limit") === null ? page(["b", "c"], "9") : page(["a"], "7", "next"));
  });
  expect(names).toEqual(["b", "c"]);
  expect(resourceVersion).toBe("9");
});
