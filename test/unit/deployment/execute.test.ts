import { pino } from "pino";
import { afterEach, expect, test } from "vitest";
import { resources } from "../../../charts/resources.ts";
import { execute } from "../../../operator/deployment/execute.ts";
import type { Step } from "../../../operator/deployment/steps.ts";
import { createClient } from "../../../operator/runtime/client.ts";
import { createOwnWrites } from "../../../operator/runtime/consistency.ts";
import { createFakeClock } from "../runtime/fake-clock.ts";
import { json, type ScriptedServer, startScriptedServer, status } from "../runtime/scripted-server.ts";

let server: ScriptedServer | undefined;
afterEach(() => server?.close());

const opening: Step = {
  do: "patch",
  resource: resources.pods,
  name: "pro-0-0",
  patch: [{ op: "test", path: "/metadata/uid", value: "uid" }],
  reason: "joins formation 1",
};

/** Does one step against a server that refuses it, and tells which steps were announced. */
async function refused(message: string): Promise<Step[]> {
  const clock = createFakeClock();
  server = await startScriptedServer(clock, (_, response) => {
    json(response, 422, status(422, "Invalid", message));
  });
  const client = createClient(server.connection, {
    userAgent: "test",
    fieldManager: "test",
    clock,
    random: () => 0,
  });
  const announced: Step[] = [];
  await execute("ns/pro", "ns", [[opening]], {
    client,
    ownWrites: createOwnWrites({ clock, cacheOf: () => undefined, expirySeconds: 30 }),
    announce: (step) => announced.push(step),
    log: pino({ level: "silent" }),
    signal: new AbortController().signal,
  });
  return announced;
}

test("a patch whose object was replaced is left to the watch", async () => {
  expect(await refused("the server rejected our request due to an error in our request")).toEqual([]);
});

test("a patch that a policy denies is a failure in the policy's words, though the code is the same", async () => {
  const words = "pods \"pro-0-0\" is forbidden: ValidatingAdmissionPolicy 'gates' denied request: not today";
  await expect(refused(words)).rejects.toThrow("not today");
});
