import { resources } from "../../charts/resources.ts";
import { type Deployment, deploymentView } from "../deployment/objects.ts";
import { createClient } from "../runtime/client.ts";
import type { Client } from "../runtime/client-api.ts";
import { systemClock as clock } from "../runtime/clock.ts";
import { type Connection, createConnection } from "../runtime/connection.ts";
import { loadKubeConfig } from "../runtime/credentials.ts";
import { ApiError, isNotFound, TransportError } from "../runtime/errors.ts";

/** Where a command looks, as kubectl's options of the same names say. */
export interface ClusterOptions {
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
}

export interface Cluster {
  readonly client: Client;
  readonly namespace: string;
}

/** Why a command can't do what it was asked, in words for its user. */
export class CommandError extends Error {}

/**
 * Runs a command on the cluster and closes its connections.
 * @throws CommandError when the cluster can't be reached, doesn't let the user, or doesn't have what is asked for
 */
export async function withCluster<T>(
  options: ClusterOptions,
  command: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const connection = connect(options);
  const client = createClient(connection, {
    userAgent: "mimo",
    fieldManager: "mimo",
    clock,
    random: Math.random,
    maxAttempts: 2,
  });
  try {
    return await command({ client, namespace: options.namespace ?? connection.namespace ?? "default" });
  } catch (error) {
    throw explained(error, connection.server);
  } finally {
    await connection.close();
  }
}

function connect({ context, kubeconfig }: ClusterOptions): Connection {
  try {
    return createConnection(() => loadKubeConfig(context, kubeconfig), clock);
  } catch (error) {
    throw new CommandError(`the kubeconfig can't be used: ${error instanceof Error ? error.message : error}`);
  }
}

/** Of what the API server, or the way to it, refused; anything else stays what it is. */
export function explained(error: unknown, server: URL): unknown {
  if (error instanceof TransportError) {
    return new CommandError(
      `the API server ${server.href} gives no answer (${error.message}): is the cluster up, and is it the one that the kubeconfig's context should name?`,
    );
  }
  if (!(error instanceof ApiError)) return error;
  if (error.code === 401)
    return new CommandError("the API server doesn't accept these credentials (401): log in again");
  if (error.code === 403) {
    return new CommandError(
      `${error.message}: ask for the role view in the namespace, or edit to change something`,
    );
  }
  return new CommandError(error.message);
}

/** @throws CommandError when there is none of that name */
export async function getDeployment({ client, namespace }: Cluster, name: string): Promise<Deployment> {
  try {
    return deploymentView.parse(await client.get(resources.mimoDeployments, { namespace, name }));
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await refuseWithoutCrds(client);
    throw new CommandError(
      `there is no MiMoDeployment ${name} in namespace ${namespace}: -n names another namespace, and \`mimo status\` shows what is there`,
    );
  }
}

/** By name, of the cluster's namespace or of all. */
export async function listDeployments(
  { client, namespace }: Cluster,
  everywhere: boolean,
): Promise<Deployment[]> {
  const path = ({ metadata }: Deployment): string => `${metadata.namespace}/${metadata.name}`;
  try {
    const { items } = await client.list(resources.mimoDeployments, everywhere ? {} : { namespace });
    return items.map((item) => deploymentView.parse(item)).sort((a, b) => (path(a) < path(b) ? -1 : 1));
  } catch (error) {
    if (isNotFound(error)) await refuseWithoutCrds(client);
    throw error;
  }
}

async function refuseWithoutCrds(client: Client): Promise<void> {
  const { group, version, plural } = resources.mimoDeployments;
  const served = await client.discover(`${group}/${version}`);
  if (!served.has(plural))
    throw new CommandError(
      "this cluster doesn't know MiMoDeployments: `mimo install` prints what installs the operator",
    );
}
