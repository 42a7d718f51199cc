import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { deploymentSpec } from "../../crds/deployment.ts";
import { parseDeployment, parsePlatform } from "../../crds/parse.ts";
import { platformSpec } from "../../crds/platform.ts";
import { catalogueRules } from "../../synth/rules.ts";
import { askApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { untilEstablished } from "../controlplane/install.ts";
import { kubectl } from "../controlplane/kubectl.ts";
import { cases, points } from "../faults/scope.ts";
import { nearly } from "./arbitrary.ts";
import { badPairs } from "./bad/catalogue.ts";
import { badCases } from "./bad.ts";
import { type Document, deployment, platform } from "./documents.ts";
import { goodCases } from "./good.ts";
import { describeScale } from "./scale.ts";
import { bootServer, crdsFile, run, stopServer, submit } from "./server.ts";

// The first run on a machine builds the binaries.
const BUILD_AND_BOOT_MILLISECONDS = 30 * 60_000;

let server: ControlPlane;

beforeAll(async () => {
  server = await bootServer();
  await run(server, ["apply", "--server-side", "--validate=strict", "-f", crdsFile]);
  await untilEstablished(server);
}, BUILD_AND_BOOT_MILLISECONDS);

afterAll(async () => {
  await stopServer(server);
});

/** Why the command line refuses a document before it asks which platform it is for; empty when it doesn't. */
function refusals(document: Document): { readonly field: string; readonly message: string }[] {
  const parsed = document.kind === "MiMoPlatform" ? parsePlatform(document) : parseDeployment(document);
  if (!parsed.ok) return [...parsed.problems];
  if (!("namespace" in parsed)) return [];
  return catalogueRules()
    .filter(({ check }) => !check(parsed.spec))
    .map(({ message, fieldPath }) => ({ field: `spec${fieldPath ?? ""}`, message }));
}

const refused = [...badCases, ...badPairs];

const inBatches = async <Item, Result>(items: readonly Item[], ask: (item: Item) => Promise<Result>) => {
  const results: Result[] = [];
  for (let start = 0; start < items.length; start += 8)
    results.push(...(await Promise.all(items.slice(start, start + 8).map(ask))));
  return results;
};

describe("the CustomResourceDefinitions", () => {
  const definitions = z.object({
    items: z.array(
      z.object({
        metadata: z.object({ name: z.string() }),
        spec: z.unknown(),
        status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })) }),
      }),
    ),
  });
  const read = async () =>
    definitions.parse(JSON.parse(await run(server, ["get", "-f", crdsFile, "-o", "json"]))).items;

  test("are established, and structural: no value of theirs escapes pruning and validation", async () => {
    for (const { metadata, status } of await read()) {
      const holding = status.conditions.filter((condition) => condition.status === "True");
      expect(
        holding.map(({ type }) => type),
        metadata.name,
      ).toEqual(["NamesAccepted", "Established"]);
    }
  });

  test("can be applied by a client that keeps the last version in an annotation", async () => {
    expect(await run(server, ["apply", "--dry-run=server", "-f", crdsFile])).toContain("mimodeployments");
  });

  test("hold no rule that no bad document runs into", async () => {
    const answers = (await inBatches(refused, ([, document]) => submit(server, document))).map(
      ({ message }) => message,
    );
    const rules = (await read()).flatMap(({ spec }) => ruleMessages(spec));
    expect(rules.length).toBeGreaterThan(40);
    expect(rules.filter((rule) => !answers.some((answer) => answer.includes(rule)))).toEqual([]);
  });

  test("are explained field by field", async () => {
    const explanation = await run(server, ["explain", "mimodeployment.spec.features.deepEP"]);
    expect(explanation).toContain("DeepEP all-to-all");
    expect(explanation).toContain("ENUM:");
  });
});

/** Messages of all validation rules below a value. */
function ruleMessages(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(ruleMessages);
  if (typeof value !== "object" || value === null) return [];
  const own = "rule" in value && "message" in value ? [String(value.message)] : [];
  return [...own, ...Object.values(value).flatMap(ruleMessages)];
}

describe("a bad document", () => {
  test.each(refused)(
    "with %s is refused, naming field and remedy",
    async (_title, document, field, remedy) => {
      const { accepted, message } = await submit(server, document);
      expect(accepted).toBe(false);
      expect(message).toContain(field);
      expect(message).toContain(remedy);
    },
  );

  test.each(refused.filter((_, index) => index % 32 === 0))(
    "with %s is refused by kubectl apply --dry-run=server in the same words",
    async (_title, document, field, remedy) => {
      const apply = ["apply", "--dry-run=server", "--namespace=default", "-f", "-"];
      const { code, stderr } = await kubectl(server, apply, { input: JSON.stringify(document) });
      expect(code).not.toBe(0);
      expect(stderr.replaceAll('\\"', '"')).toContain(field);
      expect(stderr.replaceAll('\\"', '"')).toContain(remedy);
    },
  );
});

describe("a good document", () => {
  test.each(goodCases)("with %s is accepted", async (_title, document) => {
    expect(await submit(server, document)).toEqual({ accepted: true, message: "" });
  });

  test("is accepted by kubectl apply --dry-run=server", async () => {
    const items = goodCases.map(([, document], index) =>
      document.kind === "MiMoPlatform"
        ? document
        : { ...document, metadata: { ...document.metadata, name: `good-${index}` } },
    );
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items });
    const output = await run(server, ["apply", "--dry-run=server", "--namespace=default", "-f", "-"], list);
    expect(output.trim().split("\n")).toHaveLength(items.length);
  });
});

describe("the command line", () => {
  const specsOf = (kind: string) =>
    goodCases.map(([, document]) => document).filter((document) => document.kind === kind);

  test.for([
    ["MiMoDeployment", deploymentSpec, (spec: object) => ({ ...deployment({}), spec })],
    ["MiMoPlatform", platformSpec, platform],
  ] as const)("gives any %s the API server's verdict", async ([kind, schema, wrap], { task }) => {
    const verdicts = { accepted: 0, refused: 0 };
    const spec = nearly(
      schema,
      specsOf(kind).map((document) => document.spec),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(spec, { minLength: 24, maxLength: 24 }), async (specs) => {
        const documents = specs.map((value) => ({ ...wrap({}), spec: value }));
        const answers = await Promise.all(documents.map((document) => submit(server, document)));
        for (const [index, { accepted, message }] of answers.entries()) {
          verdicts[accepted ? "accepted" : "refused"]++;
          const document = documents[index];
          const reasons = refusals(document ?? wrap({}));
          expect({ document, accepted: reasons.length === 0, message, reasons }).toMatchObject({ accepted });
        }
      }),
      { numRuns: Math.ceil(cases(600, 10_000) / 24), endOnFailure: true },
    );
    // Both verdicts, each often: else the property says nothing.
    expect(Math.min(verdicts.accepted, verdicts.refused)).toBeGreaterThan(100);
    points(task, 0, verdicts.accepted + verdicts.refused);
  });
});

describe("kubectl get", () => {
  test("shows what was asked for, and more with -o wide", async () => {
    const document = deployment({ hardware: "GB300" }, { name: "columns" });
    await run(server, ["apply", "--namespace=default", "-f", "-"], JSON.stringify(document));
    const header = (output: string) => output.split("\n")[0]?.trim().split(/\s+/).join(" ");
    expect(header(await run(server, ["get", "mimo"]))).toBe(
      "NAME VARIANT HARDWARE REPLICAS READY STATUS LOADED% AGE",
    );
    expect(header(await run(server, ["get", "mimodep", "-o", "wide"]))).toBe(
      "NAME VARIANT HARDWARE REPLICAS READY STATUS LOADED% AGE IMAGE TP DP NODES",
    );
    expect(await run(server, ["get", "all"])).toContain("mimodeployment.mimo.dev/columns");
    const select = ["get", "mimo", "-o", "name", "--field-selector"];
    expect(await run(server, [...select, "spec.hardware=GB300,spec.variant=MiMo-V2.5"])).toContain("columns");
    expect(await run(server, [...select, "spec.hardware=H20"])).toBe("");
  });

  test("finds no platform where it lists all objects of a namespace", async () => {
    const { body } = await askApi(server, "/apis/mimo.dev/v1alpha1");
    const { resources } = z
      .object({
        resources: z.array(z.object({ name: z.string(), categories: z.array(z.string()).optional() })),
      })
      .parse(JSON.parse(body));
    expect(resources.find(({ name }) => name === "mimoplatforms")).toEqual({ name: "mimoplatforms" });
  });
});

describeScale(() => server);
