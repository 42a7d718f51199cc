import type { z } from "zod";
import { deploymentSpec } from "./deployment.ts";
import { type NameRule, nameRules, platformNameRules } from "./metadata.ts";
import { apiGroup, apiVersion } from "./names.ts";
import { platformSpec } from "./platform.ts";
import { deploymentStatus, unseen } from "./status.ts";
import { type StructuralSchema, structuralSchema } from "./structural.ts";

/** A rule of the API server alone: `self` is the spec. */
export interface SpecRule {
  readonly rule: string;
  readonly message: string;
  readonly fieldPath?: string;
}

interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly description: string;
  readonly jsonPath: string;
  /** 1: only with -o wide. */
  readonly priority?: 1;
}

interface Definition {
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly scope: "Namespaced" | "Cluster";
  readonly description: string;
  readonly spec: z.ZodType;
  readonly specRules: readonly SpecRule[];
  /** On metadata.name. */
  readonly nameRules: readonly NameRule[];
  readonly status?: z.ZodType;
  readonly scale?: {
    readonly specReplicasPath: string;
    readonly statusReplicasPath: string;
    readonly labelSelectorPath: string;
  };
  readonly selectableFields: readonly string[];
  readonly columns: readonly PrinterColumn[];
}

export interface CustomResourceDefinition {
  readonly apiVersion: "apiextensions.k8s.io/v1";
  readonly kind: "CustomResourceDefinition";
  readonly metadata: { readonly name: string; readonly annotations: Readonly<Record<string, string>> };
  readonly spec: object;
}

const age: PrinterColumn = {
  name: "Age",
  type: "date",
  description: "Time since it was made",
  jsonPath: ".metadata.creationTimestamp",
};

/** The CustomResourceDefinition of one kind. Throws where a zod schema has no structural form. */
export function customResourceDefinition(definition: Definition): CustomResourceDefinition {
  const { kind, plural, status, scale } = definition;
  const subresources = status === undefined ? {} : { subresources: { status: {}, ...(scale && { scale }) } };
  const selectable = definition.selectableFields.map((jsonPath) => ({ jsonPath }));
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${plural}.${apiGroup}`,
      annotations: {
        // A client-side apply would keep the whole schema a second time in an annotation.
        "argocd.argoproj.io/sync-options": "ServerSideApply=true",
        // Removed with its release, a definition would take every object of its kind along.
        "helm.sh/resource-policy": "keep",
      },
    },
    spec: {
      group: apiGroup,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        ...(definition.shortNames.length > 0 && { shortNames: definition.shortNames }),
        ...(definition.categories.length > 0 && { categories: definition.categories }),
      },
      scope: definition.scope,
      versions: [
        {
          name: apiVersion,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: rootSchema(definition) },
          ...subresources,
          ...(selectable.length > 0 && { selectableFields: selectable }),
          additionalPrinterColumns: definition.columns,
        },
      ],
    },
  };
}

function rootSchema(definition: Definition): StructuralSchema {
  const { description, spec, specRules, status } = definition;
  return {
    type: "object",
    description,
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: `${apiGroup}/${apiVersion}` },
      kind: { type: "string", description: definition.kind },
      // The name is spelt out so that rules may point at it.
      metadata: { type: "object", properties: { name: { type: "string" } } },
      spec: withSpecRules(structuralSchema(spec), specRules),
      ...(status && { status: structuralSchema(status) }),
    },
    "x-kubernetes-validations": definition.nameRules.map(({ rule, message }) => ({
      rule,
      message,
      fieldPath: ".metadata.name",
    })),
  };
}

function withSpecRules(schema: StructuralSchema, rules: readonly SpecRule[]): StructuralSchema {
  const own = schema["x-kubernetes-validations"];
  const all = [
    ...(Array.isArray(own) ? own : []),
    ...rules.map(({ rule, message, fieldPath }) => ({ rule, message, ...(fieldPath && { fieldPath }) })),
  ];
  return all.length === 0 ? schema : { ...schema, "x-kubernetes-validations": all };
}

/** @param rules what the catalogue knows to be impossible, refused at `kubectl apply`. */
export const mimoDeploymentDefinition = (rules: readonly SpecRule[]): CustomResourceDefinition =>
  customResourceDefinition({
    kind: "MiMoDeployment",
    plural: "mimodeployments",
    shortNames: ["mimo", "mimodep"],
    // A category named like a short name would make `kubectl delete mimo --all` reach further than meant.
    categories: ["all"],
    scope: "Namespaced",
    description: "A MiMo model served by SGLang on GPU nodes. Only variant and hardware are needed.",
    spec: deploymentSpec.describe("What to serve, and where."),
    specRules: rules,
    nameRules,
    status: deploymentStatus.meta({
      description: "What the operator made of it.",
      default: { conditions: [unseen] },
    }),
    scale: {
      specReplicasPath: ".spec.replicas",
      statusReplicasPath: ".status.replicas",
      labelSelectorPath: ".status.selector",
    },
    selectableFields: [".spec.variant", ".spec.hardware"],
    columns: [
      { name: "Variant", type: "string", description: "Checkpoint", jsonPath: ".spec.variant" },
      { name: "Hardware", type: "string", description: "GPU node kind", jsonPath: ".spec.hardware" },
      {
        name: "Replicas",
        type: "integer",
        description: "Serving groups asked for",
        jsonPath: ".spec.replicas",
      },
      {
        name: "Ready",
        type: "integer",
        description: "Serving groups Ready",
        jsonPath: ".status.readyReplicas",
      },
      {
        name: "Status",
        type: "string",
        description: "Reason of the Ready condition",
        jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      },
      {
        name: "Loaded%",
        type: "integer",
        description: "Percent of the checkpoint, of the first group that loads",
        jsonPath: ".status.groups[*].percentLoaded",
      },
      age,
      {
        name: "Image",
        type: "string",
        description: "Image of the plan",
        jsonPath: ".status.plan.image",
        priority: 1,
      },
      {
        name: "TP",
        type: "integer",
        description: "Tensor parallel size",
        jsonPath: ".status.plan.tensorParallel",
        priority: 1,
      },
      {
        name: "DP",
        type: "integer",
        description: "Data parallel size",
        jsonPath: ".status.plan.dataParallel",
        priority: 1,
      },
      {
        name: "Nodes",
        type: "integer",
        description: "Nodes of one serving group",
        jsonPath: ".status.plan.nodes",
        priority: 1,
      },
    ],
  });

export const mimoPlatformDefinition = (): CustomResourceDefinition =>
  customResourceDefinition({
    kind: "MiMoPlatform",
    plural: "mimoplatforms",
    shortNames: [],
    categories: [],
    scope: "Cluster",
    description: "What this cluster offers to MiMo deployments. There is one, named default.",
    spec: platformSpec.describe("Where nodes, images and checkpoints are."),
    specRules: [],
    nameRules: platformNameRules,
    selectableFields: [],
    columns: [age],
  });
