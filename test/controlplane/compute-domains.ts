/** Stands in for NVIDIA's DRA driver for ComputeDomains: its CRD, its device class, and what it makes of both. */
import { z } from "zod";
import { type ApiAccess, askApi, callApi } from "./api.ts";
import type { Administrator } from "./boot.ts";
import { installDocuments } from "./install.ts";

const driver = "compute-domain.nvidia.com";
const channelClass = "compute-domain-default-channel.nvidia.com";
const group = "resource.nvidia.com";
const version = "v1beta1";

/** As much of the driver's CRD as its users see of it. */
const crd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `computedomains.${group}` },
  spec: {
    group,
    scope: "Namespaced",
    names: {
      kind: "ComputeDomain",
      listKind: "ComputeDomainList",
      plural: "computedomains",
      singular: "computedomain",
    },
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: {
                type: "object",
                required: ["channel"],
                "x-kubernetes-validations": [{ rule: "self == oldSelf", message: "the spec is immutable" }],
                properties: {
                  numNodes: { type: "integer", default: 0 },
                  channel: {
                    type: "object",
                    required: ["resourceClaimTemplate"],
                    properties: {
                      allocationMode: { type: "string", enum: ["Single", "All"], default: "Single" },
                      resourceClaimTemplate: {
                        type: "object",
                        required: ["name"],
                        properties: { name: { type: "string" } },
                      },
                    },
                  },
                },
              },
              status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
            },
          },
        },
      },
    ],
  },
};

const deviceClass = {
  apiVersion: "resource.k8s.io/v1",
  kind: "DeviceClass",
  metadata: { name: channelClass },
  spec: {
    selectors: [
      {
        cel: {
          expression: `device.driver == '${driver}' && device.attributes['${driver}'].type == 'channel' && device.attributes['${driver}'].id == 0`,
        },
      },
    ],
  },
};

/** What the driver's chart installs. */
export async function installComputeDomains(administrator: Administrator): Promise<void> {
  const input = [crd, deviceClass].map((object) => JSON.stringify(object)).join("\n---\n");
  await installDocuments(administrator, input);
}

const named = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });
const domains = z.object({
  items: z.array(
    z.object({
      metadata: z.object({
        name: z.string(),
        namespace: z.string(),
        uid: z.string(),
        deletionTimestamp: z.string().optional(),
      }),
      spec: z.object({
        channel: z.object({ resourceClaimTemplate: z.object({ name: z.string() }) }),
      }),
    }),
  ),
});

/**
 * The kubelet plugin's part: an IMEX channel on each node that NVLink leaves.
 * @param channels real nodes have one; more pack many groups on few nodes
 */
export async function publishChannels(access: ApiAccess, known: Set<string>, channels = 1): Promise<void> {
  const selector = encodeURIComponent("nvidia.com/gpu.product=NVIDIA-GB300");
  const nodes = named.parse(await callApi(access, `/api/v1/nodes?labelSelector=${selector}`));
  for (const { name } of nodes.items.map(({ metadata }) => metadata)) {
    if (known.has(name)) continue;
    known.add(name);
    const attributes = { type: { string: "channel" }, id: { int: 0 } };
    const devices = Array.from({ length: channels }, (_, index) => ({
      name: `channel-0-${index}`,
      attributes,
    }));
    const pool = { name, generation: 1, resourceSliceCount: 1 };
    const body = {
      metadata: { name: `${name}-${driver}` },
      spec: { driver, nodeName: name, pool, devices },
    };
    await callApi(access, "/apis/resource.k8s.io/v1/resourceslices", { method: "POST", body });
  }
}

/** The controller's part: a claim template for each ComputeDomain, gone with it. */
async function makeTemplates(access: ApiAccess, known: Set<string>): Promise<void> {
  const { status, body } = await askApi(access, `/apis/${group}/${version}/computedomains`);
  if (status !== 200) return;
  for (const { metadata, spec } of domains.parse(JSON.parse(body)).items) {
    const { name, namespace, uid } = metadata;
    if (known.has(uid) || metadata.deletionTimestamp !== undefined) continue;
    const template = {
      metadata: {
        name: spec.channel.resourceClaimTemplate.name,
        ownerReferences: [{ apiVersion: `${group}/${version}`, kind: "ComputeDomain", name, uid }],
      },
      spec: {
        spec: { devices: { requests: [{ name: "channel", exactly: { deviceClassName: channelClass } }] } },
      },
    };
    const path = `/apis/resource.k8s.io/v1/namespaces/${namespace}/resourceclaimtemplates`;
    // One of a domain that went just now may still have the name.
    const made = await askApi(access, path, { method: "POST", body: template });
    if (made.status !== 201) continue;
    known.add(uid);
    await askApi(access, `/apis/${group}/${version}/namespaces/${namespace}/computedomains/${name}/status`, {
      method: "PATCH",
      body: { status: { status: "Ready", nodes: [] } },
      contentType: "application/merge-patch+json",
    });
  }
}

const lookMilliseconds = 200;

/** Plays the driver until the result is called. */
export function startComputeDomainDriver(access: ApiAccess): () => void {
  const nodes = new Set<string>();
  const made = new Set<string>();
  return repeat(async () => {
    await publishChannels(access, nodes);
    await makeTemplates(access, made);
  });
}

function repeat(work: () => Promise<void>): () => void {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const look = async (): Promise<void> => {
    try {
      await work();
    } catch (error) {
      // The control plane may be going.
      if (!stopped) console.warn(`the stand-in for NVIDIA's DRA driver: ${error}`);
    }
    if (!stopped) timer = setTimeout(() => void look(), lookMilliseconds);
  };
  void look();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
