import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseDeployment, parsePlatform } from "../../../crds/parse.ts";
import { planDeployment } from "../../../synth/plan.ts";
import { badPairs } from "../../api/bad/catalogue.ts";
import { badCases } from "../../api/bad.ts";
import { type Document, deployment, platform } from "../../api/documents.ts";
import { goodCases } from "../../api/good.ts";

const parse = (document: Document) =>
  document.kind === "MiMoPlatform" ? parsePlatform(document) : parseDeployment(document);

const messages = (document: unknown): string[] => {
  const parsed = parseDeployment(document);
  return parsed.ok ? [] : parsed.problems.map(({ message }) => message);
};

describe("a document that the API server refuses", () => {
  test.each(badCases)("with %s is refused at the same field", (_title, document, field) => {
    const parsed = parse(document);
    const fields = parsed.ok ? [] : parsed.problems.map((problem) => problem.field);
    expect(fields.some((found) => found.startsWith(field) || field.startsWith(`${found}.`))).toBe(true);
  });
});

describe("a deployment that the API server refuses by a rule of the catalogue", () => {
  test.each(badPairs)(
    "with %s is well formed, and refused by the plan at the same field",
    (_title, document, field) => {
      const parsed = parseDeployment(document);
      const result = parsed.ok ? planDeployment(parsed, undefined) : undefined;
      const fields = result?.accepted === false ? result.refusals.map((refusal) => refusal.field) : [];
      expect(fields).toContain(field);
    },
  );
});

describe("a document that the API server accepts", () => {
  test.each(goodCases)("with %s is accepted", (_title, document) => {
    expect(parse(document)).toMatchObject({ ok: true, name: document.metadata.name });
  });

  test("comes out with its namespace and with what it leaves to the schema", () => {
    expect(parseDeployment(deployment({}))).toEqual({
      ok: true,
      name: "mimo",
      namespace: "default",
      spec: { variant: "MiMo-V2.5", hardware: "H200", replicas: 1 },
    });
    expect(parseDeployment(deployment({}, { namespace: "team-a" }))).toMatchObject({ namespace: "team-a" });
    expect(parsePlatform(platform({ clusterDomain: "example.com" }))).toEqual({
      ok: true,
      name: "default",
      spec: { clusterDomain: "example.com" },
    });
  });

  test("may be one that was read from the API server", () => {
    const written = { uid: "1", resourceVersion: "2", generation: 3, managedFields: [], ownerReferences: [] };
    expect(messages({ ...deployment({}, written), status: { replicas: 1 } })).toEqual([]);
  });
});

describe("the refusal says what to write", () => {
  test.each<[string, unknown, string]>([
    [
      "instead of a word in the wrong case",
      deployment({ hardware: "h200" }),
      'spec.hardware takes one of H20, H100, H200, B200 and GB300, not "h200"; did you mean H200?',
    ],
    [
      "instead of a field that isn't there",
      deployment({ features: { deepEp: "Auto" } }),
      "there is no field spec.features.deepEp: did you mean deepEP?",
    ],
    ["instead of a field like no other", deployment({ xyz: 1 }), "there is no field spec.xyz: remove it"],
    [
      "where a choice is missing",
      deployment({ hardware: undefined }),
      "spec.hardware is missing: write one of H20, H100, H200, B200 and GB300",
    ],
    [
      "where a part is missing",
      deployment({ model: { persistentVolumeClaim: {} } }),
      "spec.model.persistentVolumeClaim.claimName is missing: it is needed and takes text",
    ],
    [
      "instead of a number in quotes",
      deployment({ replicas: "3" }),
      "spec.replicas takes a number, not text: write 3 without quotes",
    ],
    [
      "instead of text without quotes",
      deployment({ server: { extraEnv: [{ name: "A", value: true }] } }),
      'spec.server.extraEnv[0].value takes text: write "true" in quotes',
    ],
    [
      "instead of half a number",
      deployment({ replicas: 1.5 }),
      "spec.replicas takes a whole number, not 1.5",
    ],
    ["instead of a list", deployment({ server: [] }), "spec.server takes an object with fields, not a list"],
    [
      "instead of a number too small",
      deployment({ server: { port: 80 } }),
      "spec.server.port is at least 1024, not 80",
    ],
    [
      "instead of a number beyond all bounds",
      deployment({ replicas: 1e20 }),
      "spec.replicas is at most 1000, not 100000000000000000000",
    ],
    [
      "instead of nothing",
      deployment({ image: { tag: "" } }),
      "spec.image.tag may not be empty: write it, or leave the field out",
    ],
    [
      "instead of too much text",
      deployment({ image: { tag: "a".repeat(129) } }),
      "spec.image.tag takes at most 128 characters: shorten it",
    ],
    [
      "instead of too long a list",
      deployment({ image: { pullSecrets: [..."abcdefghi"] } }),
      "spec.image.pullSecrets takes at most 8 items: remove the others",
    ],
    [
      "instead of too large a map",
      deployment({
        scheduling: { nodeSelector: Object.fromEntries([..."abcdefghijklmnopq"].map((key) => [key, ""])) },
      }),
      "spec.scheduling.nodeSelector takes at most 16 entries: remove the others",
    ],
    [
      "instead of the same twice",
      deployment({ image: { pullSecrets: ["a", "a"] } }),
      'spec.image.pullSecrets[1]: "a" is in the list twice: keep one of them',
    ],
    [
      "instead of another API version",
      { ...deployment({}), apiVersion: "mimo.dev/v1" },
      'apiVersion takes mimo.dev/v1alpha1, not "mimo.dev/v1"',
    ],
    [
      "instead of another kind",
      { ...deployment({}), kind: "Deployment" },
      'kind takes MiMoDeployment, not "Deployment"',
    ],
    ["instead of no document", null, "the document takes an object with fields, not null"],
  ])("%s", (_title, document, message) => {
    expect(messages(document)).toEqual([message]);
  });

  test("for everything that is wrong at once", () => {
    const document = deployment({ replica: 1, hardware: "A100", contextLength: 1 }, { name: "A" });
    const parsed = parseDeployment(document);
    expect(parsed.ok ? [] : parsed.problems.map(({ code, field }) => [code, field])).toEqual([
      ["UnknownField", "spec.replica"],
      ["InvalidValue", "metadata.name"],
      ["UnsupportedValue", "spec.hardware"],
      ["OutOfRange", "spec.contextLength"],
    ]);
  });

  test("where a platform names a namespace", () => {
    expect(parsePlatform(platform({}, { namespace: "default" }))).toMatchObject({
      ok: false,
      problems: [{ field: "metadata.namespace", message: "there is no field metadata.namespace: remove it" }],
    });
  });
});

test("no document whatever makes it fail", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (metadata, spec) => {
      const parsed = parseDeployment({ ...deployment({}), metadata, spec });
      if (!parsed.ok) for (const { message } of parsed.problems) expect(message).not.toBe("");
    }),
  );
});
