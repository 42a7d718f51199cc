import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { deploymentSpec } from "../../../crds/deployment.ts";
import { closest } from "../../../crds/spelling.ts";
import { fieldPath, unknownFields } from "../../../crds/unknown-fields.ts";
import { goodCases } from "../../api/good.ts";

describe("unknownFields", () => {
  test.each<[string, object, { path: string; didYouMean?: string }]>([
    ["at the top", { replica: 2 }, { path: "replica", didYouMean: "replicas" }],
    ["in an object", { features: { deepEp: "Auto" } }, { path: "features.deepEp", didYouMean: "deepEP" }],
    [
      "two objects down",
      { model: { hostPath: { pth: "/m" } } },
      { path: "model.hostPath.pth", didYouMean: "path" },
    ],
    [
      "in a list",
      { server: { extraEnv: [{}, { nmae: "A" }] } },
      { path: "server.extraEnv[1].nmae", didYouMean: "name" },
    ],
    ["like no other", { zzz: 1 }, { path: "zzz" }],
    ["like one that is there already", { replicas: 1, replica: 2 }, { path: "replica" }],
    ["that every JavaScript object has", { toString: 1 }, { path: "toString" }],
    [
      "that zod leaves out of every map",
      z.looseObject({}).parse(JSON.parse('{"scheduling":{"nodeSelector":{"__proto__":"gpu"}}}')),
      { path: "scheduling.nodeSelector.__proto__" },
    ],
  ])("finds one %s", (_title, value, found) => {
    expect(unknownFields(deploymentSpec, value)).toEqual([found]);
  });

  test("lets map keys be anything, and looks into map values", () => {
    const schema = z.object({ map: z.record(z.string(), z.object({ port: z.int() })) });
    expect(unknownFields(schema, { map: { "a.b/c": { port: 1, prot: 2 } } })).toEqual([
      { path: "map[a.b/c].prot" },
    ]);
  });

  test("finds none in documents that are right", () => {
    for (const [title, document] of goodCases.filter(([, { kind }]) => kind === "MiMoDeployment"))
      expect(unknownFields(deploymentSpec, document.spec), title).toEqual([]);
  });

  test("never fails, whatever it is given", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        for (const { path } of unknownFields(deploymentSpec, value)) expect(path).not.toBe("");
      }),
    );
  });
});

test("a field's path is written as kubectl writes it", () => {
  expect(fieldPath(["spec", "server", "extraEnv", 1, "name"])).toBe("spec.server.extraEnv[1].name");
  expect(fieldPath(["metadata", "labels", "example.com/team"])).toBe("metadata.labels[example.com/team]");
});

describe("closest", () => {
  test.each([
    ["h200", "H200"],
    ["MiMo-V2.5-pro", "MiMo-V2.5-Pro"],
    ["repilcas", "replicas"],
    ["Latncy", "Latency"],
  ])("takes %s for %s", (word, meant) => {
    const candidates = ["H100", "H200", "MiMo-V2.5", "MiMo-V2.5-Pro", "replicas", "resources", "Latency"];
    expect(closest(word, candidates)).toBe(meant);
  });

  test("takes a word like none of them for none", () => {
    expect(closest("A100", ["GB300"])).toBeUndefined();
    expect(closest("gpu", ["variant", "hardware", "image"])).toBeUndefined();
  });

  test("finds every word after one slip of the fingers", () => {
    const words = ["variant", "hardware", "profile", "replicas", "contextLength", "memoryCheck"];
    fc.assert(
      fc.property(
        fc.constantFrom(...words),
        fc.nat(),
        fc.constantFrom("drop", "double", "swap"),
        (word, at, slip) => {
          const index = at % (word.length - 1);
          const [first = "", second = ""] = [word[index], word[index + 1]];
          const typed = { drop: second, double: first + first + second, swap: second + first }[slip];
          expect(closest(word.slice(0, index) + typed + word.slice(index + 2), words)).toBe(word);
        },
      ),
    );
  });
});
