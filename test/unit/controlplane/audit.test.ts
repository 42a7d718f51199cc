import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readAudit } from "../../controlplane/audit.ts";

const line = (name: string): string =>
  JSON.stringify({
    stage: "ResponseComplete",
    requestReceivedTimestamp: "2026-11-24T10:00:00.000000Z",
    requestURI: `/api/v1/namespaces/lab/pods/${name}`,
    verb: "delete",
    objectRef: { resource: "pods", namespace: "lab", name },
    user: { username: "kwok" },
    responseStatus: { code: 200 },
  });
let directory: string;
const logOf = async (text: string): Promise<string> => {
  const path = join(directory, "audit.log");
  await writeFile(path, text);
  return path;
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mimo-audit-"));
});
afterAll(() => rm(directory, { recursive: true }));

test("a last line that is still being written is left out, wherever it is cut", async () => {
  const next = line("pro-0-1");
  for (let length = 0; length < next.length; length += 1) {
    const records = await readAudit(await logOf(`${line("pro-0-0")}\n${next.slice(0, length)}`));
    expect(records.map(({ name }) => name)).toEqual(["pro-0-0"]);
  }
});

test("a broken line in the middle is an error", async () => {
  const path = await logOf(`${line("pro-0-0").slice(0, -5)}\n${line("pro-0-1")}\n`);
  await expect(readAudit(path)).rejects.toThrow(SyntaxError);
});
