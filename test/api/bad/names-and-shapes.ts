import type { BadCase } from "../bad.ts";
import { type Document, deployment, withoutSpec } from "../documents.ts";

const long = (length: number): string => "a".repeat(length);

export const badNames: readonly BadCase[] = [
  ["a name of 253 characters", deployment({}, { name: long(253) }), "metadata.name", "at most 40 characters"],
  [
    "a name that ends like the ranks' Service",
    deployment({}, { name: "pro-ranks" }),
    "metadata.name",
    "write another one",
  ],
  ["a name of 41 characters", deployment({}, { name: long(41) }), "metadata.name", "write a shorter one"],
  ["a name with a dot", deployment({}, { name: "mimo-v2.5" }), "metadata.name", 'for example "mimo-v2-5"'],
  ["an upper case name", deployment({}, { name: "MiMo" }), "metadata.name", "lower case letters"],
  [
    "a name with an underscore",
    deployment({}, { name: "mimo_pro" }),
    "metadata.name",
    'for example "mimo-v2-5"',
  ],
  [
    "a name that begins with a digit",
    deployment({}, { name: "2-mimo" }),
    "metadata.name",
    "begins with a lower case letter",
  ],
  [
    "a name that ends in a dash",
    deployment({}, { name: "mimo-" }),
    "metadata.name",
    'for example "mimo-v2-5"',
  ],
  [
    "a label key with a space",
    deployment({}, { labels: { "a b": "c" } }),
    "metadata.labels",
    "name part must consist of",
  ],
  ["a label value of 64 characters", deployment({}, { labels: { team: long(64) } }), "metadata.labels", "63"],
  ["an unknown field of metadata", deployment({}, { lables: {} }), "metadata.lables", "field"],
];

export const badShapes: readonly BadCase[] = [
  ["no spec", withoutSpec(deployment({})), "spec", "Required value"],
  ["a spec that is a list", { ...deployment({}), spec: [] }, "spec", "must be of type object"],
  ["no variant", deployment({ variant: undefined }), "spec.variant", "Required value"],
  ["no hardware", deployment({ hardware: null }), "spec.hardware", "Required value"],
  ["an unknown field of the spec", deployment({ replica: 2 }), "spec.replica", "unknown field"],
  ["an unknown field next to spec", { ...deployment({}), sepc: {} } as Document, "sepc", "unknown field"],
  [
    "an unknown feature",
    deployment({ features: { deepEp: "Enabled" } }),
    "spec.features.deepEp",
    "unknown field",
  ],
  [
    "an unknown field in a list",
    deployment({ server: { extraEnv: [{ name: "A", value: "1", valueFrom: {} }] } }),
    "spec.server.extraEnv[0].valueFrom",
    "unknown field",
  ],
  ["features as a list", deployment({ features: ["deepEP"] }), "spec.features", "must be of type object"],
  ["server as text", deployment({ server: "0.0.0.0" }), "spec.server", "must be of type object"],
  [
    "extraArgs as text",
    deployment({ server: { extraArgs: "--tp 8" } }),
    "spec.server.extraArgs",
    "must be of type array",
  ],
  [
    "null among extraArgs",
    deployment({ server: { extraArgs: ["--log-level", null] } }),
    "spec.server.extraArgs[1]",
    "must be of type string",
  ],
  [
    "extraEnv as a map",
    deployment({ server: { extraEnv: { A: "1" } } }),
    "spec.server.extraEnv",
    "unknown field",
  ],
  [
    "a number as the value of a variable",
    deployment({ server: { extraEnv: [{ name: "A", value: 1 }] } }),
    "spec.server.extraEnv[0].value",
    "must be of type string",
  ],
  [
    "a boolean as a node label",
    deployment({ scheduling: { nodeSelector: { gpu: true } } }),
    "spec.scheduling.nodeSelector.gpu",
    "must be of type string",
  ],
  ["a feature as a boolean", deployment({ features: { deepEP: true } }), "spec.features.deepEP", '"Enabled"'],
];
