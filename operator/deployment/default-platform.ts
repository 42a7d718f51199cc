import type { Logger } from "pino";
import { apiVersionOf } from "../../charts/kubernetes.ts";
import { resources } from "../../charts/resources.ts";
import { platformName } from "../../crds/names.ts";
import type { Client } from "../runtime/client-api.ts";
import { ApiError, isAlreadyExists } from "../runtime/errors.ts";
import type { Store } from "../runtime/store.ts";
import type { Platform } from "./objects.ts";

export interface DefaultPlatformOptions {
  readonly client: Pick<Client, "create">;
  readonly platforms: Store<Platform>;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Makes an empty MiMoPlatform where there is none: without one the admission policies refuse every deployment. It can't be
 * part of the installation, since Helm and kubectl don't apply a kind and an object of it in one go.
 */
export async function ensureDefaultPlatform(options: DefaultPlatformOptions): Promise<void> {
  const { client, platforms, log, signal } = options;
  if (platforms.get({ name: platformName, namespace: undefined }) !== undefined) return;
  const { mimoPlatforms } = resources;
  const empty = {
    apiVersion: apiVersionOf(mimoPlatforms),
    kind: mimoPlatforms.kind,
    metadata: { name: platformName },
    spec: {},
  };
  try {
    await client.create(mimoPlatforms, empty, { signal });
    log.info({ platform: platformName }, "made an empty MiMoPlatform, since there was none");
  } catch (error) {
    if (isAlreadyExists(error) || signal.aborted) return;
    if (!(error instanceof ApiError)) throw error;
    log.warn({ err: error, platform: platformName }, "there is no MiMoPlatform, and it can't be made");
  }
}
