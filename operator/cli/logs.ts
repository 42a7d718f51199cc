import { podName, serverContainer } from "../../charts/names.ts";
import { readStatus } from "../deployment/observe.ts";
import { ApiError, isNotFound } from "../runtime/errors.ts";
import { type Cluster, CommandError, getDeployment } from "./cluster-access.ts";

export interface LogsOptions {
  /** Absent: the first that there is. */
  readonly group?: number;
  /** Absent: 0, the rank that answers requests. */
  readonly rank?: number;
  readonly follow?: true;
  readonly previous?: true;
  /** So many of the last lines; all when absent. */
  readonly tail?: number;
}

/** Copies the log of one rank to standard output. */
export async function copyLog(cluster: Cluster, name: string, options: LogsOptions): Promise<void> {
  const { client, namespace } = cluster;
  const deployment = await getDeployment(cluster, name);
  const {
    group = readStatus(deployment)?.groups?.[0]?.id,
    rank = 0,
    follow = false,
    previous = false,
    tail,
  } = options;
  if (group === undefined)
    throw new CommandError(`${name} has no group yet: \`mimo status ${name}\` says why`);
  const pod = podName(name, group, rank);
  const query = {
    container: serverContainer,
    follow,
    previous,
    ...(tail !== undefined && { tailLines: tail }),
    signal: new AbortController().signal,
  };
  try {
    for await (const piece of await client.streamLog({ namespace, name: pod }, query))
      process.stdout.write(piece);
  } catch (error) {
    if (isNotFound(error))
      throw new CommandError(
        `there is no pod ${pod}: \`mimo status ${name}\` shows the groups and their ranks`,
      );
    // The server's own words: "container is waiting to start", "previous terminated container not found".
    if (error instanceof ApiError && error.code === 400) throw new CommandError(error.message);
    throw error;
  }
}
