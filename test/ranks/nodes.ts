/** What a kubelet says of its node. */
import { resources } from "../../charts/resources.ts";
import type { Client } from "../../operator/runtime/client-api.ts";
import { isNotFound } from "../../operator/runtime/errors.ts";
import type { NodeObject } from "../controlplane/nodes.ts";

/** Without kwok's annotation: these nodes are not its own. */
export async function createNode(client: Client, object: NodeObject, logPort: number): Promise<void> {
  const { name, labels } = object.metadata;
  const node = {
    ...object,
    metadata: { name, labels: { ...labels } },
    status: {
      ...object.status,
      addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
      daemonEndpoints: { kubeletEndpoint: { Port: logPort } },
    },
  };
  await client.create(resources.nodes, node);
  await heartbeat(client, name);
}

export async function heartbeat(client: Client, name: string): Promise<void> {
  const now = new Date().toISOString();
  const ready = {
    type: "Ready",
    status: "True",
    reason: "KubeletReady",
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  };
  const status = { conditions: [ready] };
  try {
    await client.patch(resources.nodes, { name }, { status }, { subresource: "status" });
  } catch (error) {
    // A node that a test deletes stays deleted.
    if (!isNotFound(error)) throw error;
  }
}
