import { expect, test } from "vitest";
import { verdictOf } from "../../../build/audit.ts";

const audited = (vulnerabilities: object): string =>
  JSON.stringify({
    auditReportVersion: 2,
    vulnerabilities,
    metadata: { vulnerabilities: { total: 0 }, dependencies: { prod: 91, dev: 40, total: 131 } },
  });

test("an audit that found nothing says of how many packages", () => {
  expect(verdictOf(audited({}))).toEqual({
    status: 0,
    text: "No vulnerability is known in the 91 packages that the operator uses.\n",
  });
});

test("one that found something names package, versions, severity and where to read of it", () => {
  const undici = {
    name: "undici",
    severity: "high",
    range: "<7.0.1",
    via: [{ title: "Smuggled requests", url: "https://github.com/advisories/GHSA-1" }],
    fixAvailable: true,
  };
  const client = { name: "client", severity: "high", range: "*", via: ["undici"], fixAvailable: true };
  const { status, text } = verdictOf(audited({ undici, client }));
  expect(status).toBe(1);
  expect(text).toContain(
    "  undici <7.0.1: high: Smuggled requests https://github.com/advisories/GHSA-1\n  client *: high: by undici\n",
  );
});

test.each([
  [
    "refuses",
    JSON.stringify({ message: "405 Method Not Allowed", statusCode: 405 }),
    "405 Method Not Allowed",
  ],
  ["answers something else", "<html>proxy</html>", "<html>proxy</html>"],
  ["says nothing", "", "it said nothing"],
])("a registry that %s is no clean bill", (_, output, words) => {
  const { status, text } = verdictOf(output);
  expect(status).toBe(2);
  expect(text).toContain(words);
  expect(text).toMatch(/^Not audited/);
});
