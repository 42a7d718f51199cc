import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { KubeObject } from "../../charts/kubernetes.ts";
import { renderDeployment } from "../../charts/render.ts";
import { deploymentSpec } from "../../crds/deployment.ts";
import { platformSpec } from "../../crds/platform.ts";
import { structuralSchema } from "../../crds/structural.ts";
import { limitRules } from "../../synth/limits.ts";
import { accepted } from "../unit/synth/requests.ts";

/** Where in what is made for a deployment the text of one of its fields turns up, and what keeps it from reaching further. */
interface Reach {
  /** The part of a specification that has the text there. */
  readonly write: (text: string) => object;
  readonly value: string;
  /** Without what leads to the pods of a StatefulSet. */
  readonly lands: readonly string[];
  /** An object by its name, in the deployment's own namespace: no other can be named. */
  readonly names?: "an object beside it";
  /** The platform may forbid it: the field of the admission policy's rule. */
  readonly limit?: string;
}

const command = ["spec.containers[].command[]"];
const secretKeyRef = "spec.containers[].env[].valueFrom.secretKeyRef";
const own = { names: "an object beside it" } as const;
const name = "zz-name";
const folder = "zz/folder";
const memory = ["spec.containers[].resources.limits.memory", "spec.containers[].resources.requests.memory"];

/** Every field whose text a user is free to write. The others are numbers, switches, or choices from a list. */
const reach: Readonly<Record<string, Reach>> = {
  "image.repository": {
    write: (text) => ({ image: { repository: text, tag: "v0.5.18" } }),
    value: "zz.example.com/sglang",
    lands: ["spec.containers[].image"],
    limit: "spec.image.repository",
  },
  "image.tag": {
    write: (text) => ({ image: { tag: text } }),
    value: "v0.5.18-zz",
    lands: ["spec.containers[].image"],
  },
  "image.digest": {
    write: (text) => ({ image: { digest: text } }),
    value: `sha256:${"9".repeat(64)}`,
    lands: ["spec.containers[].image"],
  },
  "image.pullSecrets[]": {
    write: (text) => ({ image: { pullSecrets: [text] } }),
    value: name,
    lands: ["spec.imagePullSecrets[].name"],
    ...own,
  },
  "model.huggingFace.repository": {
    write: (text) => ({ model: { huggingFace: { repository: text } } }),
    value: "zz/model",
    lands: command,
    limit: "spec.model.huggingFace.repository",
  },
  "model.huggingFace.revision": {
    write: (text) => ({ model: { huggingFace: { revision: text } } }),
    value: "zz-revision",
    lands: command,
  },
  "model.huggingFace.tokenSecret.name": {
    write: (text) => ({ model: { huggingFace: { tokenSecret: { name: text, key: "k" } } } }),
    value: name,
    lands: [`${secretKeyRef}.name`],
    ...own,
  },
  "model.huggingFace.tokenSecret.key": {
    write: (text) => ({ model: { huggingFace: { tokenSecret: { key: text, name: "n" } } } }),
    value: "zz-key",
    lands: [`${secretKeyRef}.key`],
  },
  "model.persistentVolumeClaim.claimName": {
    write: (text) => ({ model: { persistentVolumeClaim: { claimName: text } } }),
    value: name,
    lands: ["spec.volumes[].persistentVolumeClaim.claimName"],
    ...own,
  },
  "model.persistentVolumeClaim.path": {
    write: (text) => ({ model: { persistentVolumeClaim: { path: text, claimName: "c" } } }),
    value: folder,
    lands: command,
  },
  "model.hostPath.path": {
    write: (text) => ({ model: { hostPath: { path: text } } }),
    value: "/mnt/zz",
    lands: ["spec.volumes[].hostPath.path"],
    limit: "spec.model.hostPath.path",
  },
  "model.image.reference": {
    write: (text) => ({ model: { image: { reference: text } } }),
    value: "zz.example.com/model:1",
    lands: ["spec.volumes[].image.reference"],
    limit: "spec.model.image.reference",
  },
  "model.image.path": {
    write: (text) => ({ model: { image: { path: text, reference: "r.example.com/m:1" } } }),
    value: folder,
    lands: command,
  },
  "server.servedModelName": {
    write: (text) => ({ server: { servedModelName: text } }),
    value: "zz-model",
    lands: command,
  },
  "server.apiKeySecret.name": {
    write: (text) => ({ server: { apiKeySecret: { name: text, key: "k" } } }),
    value: name,
    lands: [`${secretKeyRef}.name`],
    ...own,
  },
  "server.apiKeySecret.key": {
    write: (text) => ({ server: { apiKeySecret: { key: text, name: "n" } } }),
    value: "zz-key",
    lands: [`${secretKeyRef}.key`],
  },
  "server.extraArgs[]": {
    write: (text) => ({ server: { extraArgs: [text] } }),
    value: "--zz-option",
    lands: command,
  },
  "server.extraEnv[].name": {
    write: (text) => ({ server: { extraEnv: [{ name: text, value: "v" }] } }),
    value: "ZZ_NAME",
    lands: ["spec.containers[].env[].name"],
  },
  "server.extraEnv[].value": {
    write: (text) => ({ server: { extraEnv: [{ value: text, name: "N" }] } }),
    value: "zz-value",
    lands: ["spec.containers[].env[].value"],
  },
  "resources.memory": {
    write: (text) => ({ resources: { memory: text } }),
    value: "1777Gi",
    lands: [...memory, "PodGroup spec.minResources.memory"],
  },
  "resources.sharedMemory": {
    write: (text) => ({ resources: { sharedMemory: text } }),
    value: "77Gi",
    lands: ["spec.volumes[].emptyDir.sizeLimit"],
  },
  "scheduling.nodeSelector{}": {
    write: (text) => ({ scheduling: { nodeSelector: { zz: text } } }),
    value: "zz-value",
    lands: ["spec.nodeSelector.zz"],
  },
  "scheduling.tolerations[].key": {
    write: (text) => ({ scheduling: { tolerations: [{ key: text, operator: "Exists" }] } }),
    value: "zz-key",
    lands: ["spec.tolerations[].key"],
    limit: "spec.scheduling.tolerations",
  },
  "scheduling.tolerations[].value": {
    write: (text) => ({ scheduling: { tolerations: [{ value: text, key: "k" }] } }),
    value: "zz-value",
    lands: ["spec.tolerations[].value"],
    limit: "spec.scheduling.tolerations",
  },
  "scheduling.priorityClassName": {
    write: (text) => ({ scheduling: { priorityClassName: text } }),
    value: name,
    lands: ["spec.priorityClassName"],
    limit: "spec.scheduling.priorityClassName",
  },
  "scheduling.schedulerName": {
    write: (text) => ({ scheduling: { schedulerName: text } }),
    value: name,
    lands: ["spec.schedulerName"],
  },
  "scheduling.queue": {
    write: (text) => ({ scheduling: { queue: text } }),
    value: "zz-queue",
    lands: ["PodGroup spec.queue"],
    limit: "spec.scheduling.queue",
  },
  "podTemplate.labels{}": {
    write: (text) => ({ podTemplate: { labels: { zz: text } } }),
    value: "zz-value",
    lands: ["metadata.labels.zz"],
    limit: "spec.podTemplate",
  },
  "podTemplate.annotations{}": {
    write: (text) => ({ podTemplate: { annotations: { zz: text } } }),
    value: "zz-value",
    lands: ["metadata.annotations.zz"],
    limit: "spec.podTemplate",
  },
  "podTemplate.patches[].path": {
    write: (text) => ({ podTemplate: { patches: [{ op: "add", path: text, value: "[]" }] } }),
    value: "/spec/hostAliases",
    lands: [],
    limit: "spec.podTemplate.patches",
  },
  "podTemplate.patches[].value": {
    write: (text) => ({
      podTemplate: { patches: [{ op: "add", path: "/spec/subdomain", value: JSON.stringify(text) }] },
    }),
    value: "zz-value",
    lands: ["spec.subdomain"],
    limit: "spec.podTemplate.patches",
  },
};
const cases = Object.entries(reach);

/** "model.hostPath.path" of every string without an enumeration; "[]" is an item of a list, "{}" a value of a map. */
function* freeTexts(schema: unknown, path: string): Generator<string> {
  const { type, properties = {}, items, additionalProperties, enum: choices } = schemaShape.parse(schema);
  if (items !== undefined) yield* freeTexts(items, `${path}[]`);
  if (additionalProperties !== undefined) yield* freeTexts(additionalProperties, `${path}{}`);
  for (const [key, value] of Object.entries(properties))
    yield* freeTexts(value, path === "" ? key : `${path}.${key}`);
  if (type === "string" && choices === undefined) yield path;
}
const schemaShape = z.looseObject({
  type: z.string().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  items: z.unknown().optional(),
  additionalProperties: z.unknown().optional(),
  enum: z.unknown().optional(),
});

/** Allows all that it can, and has a queue. */
const open = platformSpec.parse({
  allowedHostPaths: ["/mnt"],
  allowedPodTemplatePaths: ["/spec"],
  queue: { system: "Volcano" },
  hardware: [{ kind: "H200", nodeMemory: "2048Gi" }],
});
const openWithoutQueue = platformSpec.parse({ allowedHostPaths: ["/mnt"] });

const specWith = ({ write }: Reach, text: string): object => ({
  variant: "MiMo-V2-Flash",
  hardware: "H200",
  ...write(text),
});

function rendered(path: string, field: Reach): KubeObject[] {
  const platform = path === "scheduling.schedulerName" ? openWithoutQueue : open;
  return renderDeployment({ plan: accepted(specWith(field, field.value), platform), replicas: 1 });
}

/** Paths of the strings that hold the text; those of a StatefulSet from its pods on, others with their kind. */
function landings(object: KubeObject, text: string): string[] {
  const found = new Set<string>();
  const visit = (value: unknown, path: string): void => {
    if (typeof value === "string" && value.includes(text)) found.add(path);
    else if (Array.isArray(value)) for (const item of value) visit(item, `${path}[]`);
    else if (typeof value === "object" && value !== null)
      for (const [key, item] of Object.entries(value)) visit(item, path === "" ? key : `${path}.${key}`);
  };
  visit(object, "");
  return [...found].map((path) =>
    object.kind === "StatefulSet" ? path.replace(/^spec\.template\./, "") : `${object.kind} ${path}`,
  );
}

describe("what a user writes into a MiMoDeployment", () => {
  test("is free text in the fields of this table and no others", () => {
    const fields = [...freeTexts(structuralSchema(deploymentSpec), "")];
    expect(Object.keys(reach).sort()).toEqual(fields.sort());
  });

  test.each(cases)("%s turns up where it belongs and nowhere else", (path, field) => {
    const found = rendered(path, field).flatMap((object) => landings(object, field.value));
    expect(found.sort()).toEqual([...field.lands].sort());
  });

  test.each(cases)(
    "%s makes nothing outside of the deployment's namespace, and names no other",
    (path, field) => {
      for (const object of rendered(path, field)) {
        expect(object.metadata.namespace).toBe("team-a");
        const { metadata: _, ...rest } = object;
        expect(JSON.stringify(rest)).not.toContain('"namespace":');
      }
    },
  );

  test.each(cases.filter(([, { names }]) => names !== undefined))(
    "%s can't name an object of another namespace",
    (_, field) => {
      for (const value of ["team-b/secret", "team-b:secret", "../team-b/secret"]) {
        expect(deploymentSpec.safeParse(specWith(field, value)).success).toBe(false);
      }
    },
  );

  test.each(cases.filter(([path]) => path.endsWith("path")))(
    "%s can't step out of its folder",
    (_, field) => {
      for (const value of ["../etc", "/mnt/../etc", "a/../../etc", ".."]) {
        expect(deploymentSpec.safeParse(specWith(field, value)).success).toBe(false);
      }
    },
  );
});

test("every rule of the admission policy about free text is named in the table, and exists", () => {
  const named = new Set(cases.flatMap(([, { limit = [] }]) => limit));
  const choices = ["hardware", "variant", "profile", "runtime", "replicas", "rollout.maxSurge"];
  const rules = limitRules.map(({ field }) => field).filter((field) => !choices.includes(field.slice(5)));
  expect([...named].sort()).toEqual(rules.sort());
});
