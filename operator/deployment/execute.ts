import type { Logger } from "pino";
import type { Client, Written } from "../runtime/client-api.ts";
import type { OwnWrites } from "../runtime/consistency.ts";
import { isAlreadyExists, isNotFound, isUnfittingPatch } from "../runtime/errors.ts";
import { overlay } from "./difference.ts";
import { childView, controllerOf, deploymentName } from "./objects.ts";
import { NameTakenError } from "./obstacles.ts";
import { nameOf, type Stages, type Step } from "./steps.ts";

export interface Executor {
  readonly client: Client;
  readonly ownWrites: OwnWrites;
  /** Called for each step that users should hear of, after it was done. */
  readonly announce: (step: Step) => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Does the writes, stage by stage. The first failure ends it, once the writes beside it are settled. */
export async function execute(
  key: string,
  namespace: string,
  stages: Stages,
  executor: Executor,
): Promise<void> {
  for (const stage of stages) {
    const outcomes = await Promise.allSettled(stage.map((step) => write(key, namespace, step, executor)));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
}

async function write(key: string, namespace: string, step: Step, executor: Executor): Promise<void> {
  const { client, ownWrites, log, signal } = executor;
  const ref = { namespace, name: nameOf(step) };
  log.info({ do: step.do, kind: step.resource.kind, name: ref.name, reason: step.reason }, "write");
  switch (step.do) {
    case "create":
      ownWrites.wrote(key, step.resource, await createOrAdopt(step, ref, executor));
      break;
    case "update":
      ownWrites.wrote(key, step.resource, await client.update(step.resource, step.object, { signal }));
      break;
    case "patch":
      try {
        ownWrites.wrote(key, step.resource, await client.patch(step.resource, ref, step.patch, { signal }));
      } catch (error) {
        // Another object has the name by now, so a test of the patch failed: the watch brings it.
        if (!isNotFound(error) && !isUnfittingPatch(error)) throw error;
        log.info({ err: error }, "object was replaced before it could be patched");
        return;
      }
      break;
    case "delete":
      try {
        const answer = await client.delete(step.resource, ref, {
          signal,
          preconditions: { uid: step.uid },
          propagationPolicy: "Background",
          ...(step.graceSeconds === undefined ? {} : { gracePeriodSeconds: step.graceSeconds }),
        });
        ownWrites.deleted(key, step.resource, ref, step.uid, answer);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
      break;
  }
  executor.announce(step);
}

/** The caches show labelled objects only: an object in the way comes to light here. */
async function createOrAdopt(
  step: Step & { do: "create" },
  ref: { namespace: string; name: string },
  { client, signal }: Executor,
): Promise<Written> {
  try {
    return await client.create(step.resource, step.object, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const existing = childView.parse(await client.get(step.resource, ref, { signal }));
    const controller = controllerOf(existing);
    const ours =
      controller === undefined
        ? deploymentName(existing) !== undefined && deploymentName(existing) === deploymentName(step.object)
        : controller.uid === controllerOf(step.object)?.uid;
    if (!ours) throw new NameTakenError(existing);
    return await client.update(step.resource, overlay(existing, step.object), { signal });
  }
}
