import type { BadCase } from "../bad.ts";
import { deployment } from "../documents.ts";

const long = (length: number): string => "a".repeat(length);
const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `item-${index}`);
const env = (...names: string[]) => ({
  server: { extraEnv: names.map((name) => ({ name, value: "1" })) },
});
const patching = (...patches: object[]) => deployment({ podTemplate: { patches } });
const tolerating = (...tolerations: object[]) => ({ scheduling: { tolerations } });

export const badServers: readonly BadCase[] = [
  [
    "a served name with a colon",
    deployment({ server: { servedModelName: "mimo:v2" } }),
    "spec.server.servedModelName",
    "keeps ':' for adapters",
  ],
  [
    "an empty served name",
    deployment({ server: { servedModelName: "" } }),
    "spec.server.servedModelName",
    "at least 1 chars long",
  ],
  [
    "an API key in clear",
    deployment({ server: { apiKey: "secret" } }),
    "spec.server.apiKey",
    "unknown field",
  ],
  [
    "an empty argument",
    deployment({ server: { extraArgs: [""] } }),
    "spec.server.extraArgs[0]",
    "at least 1 chars long",
  ],
  [
    "65 arguments",
    deployment({ server: { extraArgs: many(65) } }),
    "spec.server.extraArgs",
    "at most 64 items",
  ],
  [
    "an argument of 1025 characters",
    deployment({ server: { extraArgs: [long(1025)] } }),
    "spec.server.extraArgs[0]",
    "may not be more than 1024",
  ],
  ["a variable with a dash", deployment(env("NCCL-DEBUG")), "spec.server.extraEnv[0].name", '"NCCL_DEBUG"'],
  [
    "a variable that begins with a digit",
    deployment(env("2FA")),
    "spec.server.extraEnv[0].name",
    '"NCCL_DEBUG"',
  ],
  ["a variable twice", deployment(env("A", "B", "A")), "spec.server.extraEnv[2]", "Duplicate value"],
  [
    "a variable without value",
    deployment({ server: { extraEnv: [{ name: "A" }] } }),
    "spec.server.extraEnv[0].value",
    "Required value",
  ],

  [
    "an API key Secret in upper case",
    deployment({ server: { apiKeySecret: { name: "Keys", key: "api" } } }),
    "spec.server.apiKeySecret.name",
    '"my-object"',
  ],
  [
    "an API key Secret's key with a slash",
    deployment({ server: { apiKeySecret: { name: "keys", key: "a/b" } } }),
    "spec.server.apiKeySecret.key",
    '"token"',
  ],
];

export const badScheduling: readonly BadCase[] = [
  [
    "a node label key with a space",
    deployment({ scheduling: { nodeSelector: { "a b": "c" } } }),
    "spec.scheduling.nodeSelector",
    '"nvidia.com/gpu.product"',
  ],
  [
    "a node label key with a domain of 254 characters",
    deployment({ scheduling: { nodeSelector: { [`${long(254)}/x`]: "c" } } }),
    "spec.scheduling.nodeSelector",
    '"nvidia.com/gpu.product"',
  ],
  [
    "a node label value with a slash",
    deployment({ scheduling: { nodeSelector: { zone: "a/b" } } }),
    "spec.scheduling.nodeSelector",
    "is a label value",
  ],
  [
    "17 node labels",
    deployment({ scheduling: { nodeSelector: Object.fromEntries(many(17).map((key) => [key, "x"])) } }),
    "spec.scheduling.nodeSelector",
    "at most 16",
  ],
  [
    "an empty toleration",
    deployment(tolerating({})),
    "spec.scheduling.tolerations[0]",
    "needs operator: Exists",
  ],
  [
    "a toleration that exists with a value",
    deployment(tolerating({ key: "a", operator: "Exists", value: "b" })),
    "spec.scheduling.tolerations[0].value",
    "operator: Equal",
  ],
  [
    "a toleration's key with a space",
    deployment(tolerating({ key: "a b" })),
    "spec.scheduling.tolerations[0].key",
    '"nvidia.com/gpu"',
  ],
  [
    "a toleration's value with a space",
    deployment(tolerating({ key: "a", value: "b c" })),
    "spec.scheduling.tolerations[0].value",
    "is a taint value",
  ],
  [
    "an unknown taint effect",
    deployment(tolerating({ key: "a", effect: "NoRun" })),
    "spec.scheduling.tolerations[0].effect",
    '"NoSchedule"',
  ],
  [
    "seconds for a taint that doesn't evict",
    deployment(tolerating({ key: "a", effect: "NoSchedule", tolerationSeconds: 5 })),
    "spec.scheduling.tolerations[0].tolerationSeconds",
    "needs effect: NoExecute",
  ],
  [
    "a priority class in upper case",
    deployment({ scheduling: { priorityClassName: "High" } }),
    "spec.scheduling.priorityClassName",
    '"my-object"',
  ],
  [
    "a queue with a dot",
    deployment({ scheduling: { queue: "team.a" } }),
    "spec.scheduling.queue",
    '"team-a"',
  ],
  [
    "a scheduler with a slash",
    deployment({ scheduling: { schedulerName: "a/b" } }),
    "spec.scheduling.schedulerName",
    '"my-object"',
  ],
];

export const badPodTemplates: readonly BadCase[] = [
  [
    "a label of the operator's",
    deployment({ podTemplate: { labels: { "mimo.dev/group": "1" } } }),
    "spec.podTemplate.labels",
    "use a domain of your own",
  ],
  [
    "a label of Kubernetes'",
    deployment({ podTemplate: { labels: { "apps.kubernetes.io/pod-index": "0" } } }),
    "spec.podTemplate.labels",
    "use a domain of your own",
  ],
  [
    "an annotation of the operator's",
    deployment({ podTemplate: { annotations: { "mimo.dev/formation": "x" } } }),
    "spec.podTemplate.annotations",
    "use a domain of your own",
  ],
  [
    "an annotation key with a space",
    deployment({ podTemplate: { annotations: { "a b": "x" } } }),
    "spec.podTemplate.annotations",
    '"example.com/team"',
  ],
  [
    "an annotation of 4097 characters",
    deployment({ podTemplate: { annotations: { note: long(4097) } } }),
    "spec.podTemplate.annotations.note",
    "may not be more than 4096",
  ],
  [
    "33 annotations",
    deployment({ podTemplate: { annotations: Object.fromEntries(many(33).map((key) => [key, "x"])) } }),
    "spec.podTemplate.annotations",
    "at most 32",
  ],

  [
    "a label key that ends in a slash",
    deployment({ podTemplate: { labels: { "example.com/": "x" } } }),
    "spec.podTemplate.labels",
    '"nvidia.com/gpu.product"',
  ],
  [
    "a label value with a space",
    deployment({ podTemplate: { labels: { team: "a b" } } }),
    "spec.podTemplate.labels",
    "is a label value",
  ],

  [
    "17 patches",
    patching(...Array.from({ length: 17 }, () => ({ op: "remove", path: "/spec/hostname" }))),
    "spec.podTemplate.patches",
    "at most 16 items",
  ],
  [
    "a patch that moves",
    patching({ op: "move", path: "/spec/hostname", value: "1" }),
    "spec.podTemplate.patches[0].op",
    '"add", "remove", "replace", "test"',
  ],
  [
    "a patch of the pod's labels",
    patching({ op: "add", path: "/metadata/labels/team", value: '"a"' }),
    "spec.podTemplate.patches[0].path",
    "podTemplate has labels and annotations for its metadata",
  ],
  [
    "a patch of the whole specification",
    patching({ op: "replace", path: "/spec", value: "{}" }),
    "spec.podTemplate.patches[0].path",
    "below /spec of the pod template",
  ],
  [
    "a patch whose path is escaped otherwise than JSON pointers are",
    patching({ op: "remove", path: "/spec/a~2b" }),
    "spec.podTemplate.patches[0].path",
    "is a JSON pointer",
  ],
  [
    "a patch whose path holds no name between two slashes",
    patching({ op: "remove", path: "/spec//hostname" }),
    "spec.podTemplate.patches[0].path",
    "is a JSON pointer",
  ],
  [
    "a patch that adds nothing",
    patching({ op: "add", path: "/spec/hostname" }),
    "spec.podTemplate.patches[0].value",
    "add, replace and test need a value",
  ],
  [
    "a patch that removes a value",
    patching({ op: "remove", path: "/spec/hostname", value: "1" }),
    "spec.podTemplate.patches[0].value",
    "remove takes none",
  ],
  [
    "a patch with a value that isn't text",
    patching({ op: "add", path: "/spec/hostAliases", value: [] }),
    "spec.podTemplate.patches[0].value",
    "string",
  ],
];
