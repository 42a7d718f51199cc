import type { BadCase } from "../bad.ts";
import { deployment } from "../documents.ts";

const long = (length: number): string => "a".repeat(length);
const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `item-${index}`);

export const badImages: readonly BadCase[] = [
  [
    "a repository with a tag",
    deployment({ image: { repository: "lmsysorg/sglang:v0.5.18", tag: "x" } }),
    "spec.image.repository",
    "without tag",
  ],
  [
    "a repository in upper case",
    deployment({ image: { repository: "LMSYS/sglang", tag: "x" } }),
    "spec.image.repository",
    '"lmsysorg/sglang"',
  ],
  [
    "a repository with a scheme",
    deployment({ image: { repository: "https://example.com/sglang", tag: "x" } }),
    "spec.image.repository",
    "without tag",
  ],
  [
    "a repository alone",
    deployment({ image: { repository: "example.com/sglang" } }),
    "spec.image.repository",
    "needs image.tag or image.digest",
  ],
  ["an empty tag", deployment({ image: { tag: "" } }), "spec.image.tag", "at least 1 chars long"],
  ["a tag with its colon", deployment({ image: { tag: ":v0.5.18" } }), "spec.image.tag", 'without ":"'],
  [
    "a short digest",
    deployment({ image: { digest: "sha256:abc" } }),
    "spec.image.digest",
    "64 hexadecimal digits",
  ],
  [
    "a pull Secret twice",
    deployment({ image: { pullSecrets: ["a", "b", "a"] } }),
    "spec.image.pullSecrets[2]",
    "Duplicate value",
  ],
  [
    "nine pull Secrets",
    deployment({ image: { pullSecrets: many(9) } }),
    "spec.image.pullSecrets",
    "at most 8 items",
  ],
  [
    "a pull Secret in upper case",
    deployment({ image: { pullSecrets: ["Registry"] } }),
    "spec.image.pullSecrets[0]",
    '"my-object"',
  ],
  [
    "a pull Secret with two dots",
    deployment({ image: { pullSecrets: ["a..b"] } }),
    "spec.image.pullSecrets[0]",
    '"my-object"',
  ],
];

export const badModels: readonly BadCase[] = [
  [
    "two model sources",
    deployment({ model: { huggingFace: {}, hostPath: { path: "/mnt/models" } } }),
    "spec.model",
    "keep the one that holds the checkpoint",
  ],
  [
    "four model sources",
    deployment({
      model: {
        huggingFace: {},
        hostPath: { path: "/m" },
        persistentVolumeClaim: { claimName: "m" },
        image: { reference: "m" },
      },
    }),
    "spec.model",
    "at most one of",
  ],
  [
    "a Hugging Face repository without organisation",
    deployment({ model: { huggingFace: { repository: "MiMo-V2.5" } } }),
    "spec.model.huggingFace.repository",
    '"XiaomiMiMo/MiMo-V2.5"',
  ],
  [
    "a revision with a slash",
    deployment({ model: { huggingFace: { revision: "refs/pr/1" } } }),
    "spec.model.huggingFace.revision",
    "branch, tag or commit",
  ],
  [
    "a token instead of its Secret",
    deployment({ model: { huggingFace: { tokenSecret: "hf_x" } } }),
    "spec.model.huggingFace.tokenSecret",
    "must be of type object",
  ],
  [
    "a token Secret without key",
    deployment({ model: { huggingFace: { tokenSecret: { name: "hf" } } } }),
    "spec.model.huggingFace.tokenSecret.key",
    "Required value",
  ],
  [
    "a token Secret's key with a slash",
    deployment({ model: { huggingFace: { tokenSecret: { name: "hf", key: "a/b" } } } }),
    "spec.model.huggingFace.tokenSecret.key",
    '"token"',
  ],
  [
    "a claim without name",
    deployment({ model: { persistentVolumeClaim: {} } }),
    "spec.model.persistentVolumeClaim.claimName",
    "Required value",
  ],
  [
    "a claim's name of 254 characters",
    deployment({ model: { persistentVolumeClaim: { claimName: long(254) } } }),
    "spec.model.persistentVolumeClaim.claimName",
    "may not be more than 253",
  ],
  [
    "a claim's path from the root",
    deployment({ model: { persistentVolumeClaim: { claimName: "m", path: "/m" } } }),
    "spec.model.persistentVolumeClaim.path",
    "without a leading '/'",
  ],
  [
    "a claim's path that leaves the volume",
    deployment({ model: { persistentVolumeClaim: { claimName: "m", path: "a/../../b" } } }),
    "spec.model.persistentVolumeClaim.path",
    "may not step back",
  ],
  [
    "a relative host path",
    deployment({ model: { hostPath: { path: "mnt/models" } } }),
    "spec.model.hostPath.path",
    "absolute path",
  ],
  [
    "a host path with a colon",
    deployment({ model: { hostPath: { path: "/mnt:/models" } } }),
    "spec.model.hostPath.path",
    "without ':'",
  ],
  [
    "a host path that steps back",
    deployment({ model: { hostPath: { path: "/mnt/models/../../etc" } } }),
    "spec.model.hostPath.path",
    "may not step back",
  ],
  [
    "a model image with a space",
    deployment({ model: { image: { reference: "example.com/a b" } } }),
    "spec.model.image.reference",
    "OCI image",
  ],

  [
    "a token Secret in upper case",
    deployment({ model: { huggingFace: { tokenSecret: { name: "HF", key: "token" } } } }),
    "spec.model.huggingFace.tokenSecret.name",
    '"my-object"',
  ],
  [
    "a claim in upper case",
    deployment({ model: { persistentVolumeClaim: { claimName: "Models" } } }),
    "spec.model.persistentVolumeClaim.claimName",
    '"my-object"',
  ],
  [
    "a model image's path from the root",
    deployment({ model: { image: { reference: "m", path: "/m" } } }),
    "spec.model.image.path",
    "without a leading '/'",
  ],
  [
    "a model image's path that steps back",
    deployment({ model: { image: { reference: "m", path: ".." } } }),
    "spec.model.image.path",
    "may not step back",
  ],
];
