import type { V1PodSpec } from "@kubernetes/client-node";
import { JsonPatch } from "cdk8s";
import { z } from "zod";
import type { PodPatch } from "../crds/deployment.ts";
import type { RefusalCode } from "../synth/errors.ts";
import { ownedVariable } from "../synth/extras.ts";
import type { Refusal } from "../synth/serving-plan.ts";
import { inKeyOrder } from "./key-order.ts";
import type { PodTemplate } from "./pod.ts";

export type Patched =
  | { readonly ok: true; readonly template: PodTemplate }
  | { readonly ok: false; readonly refusal: Refusal };

const bySpecResources = "use spec.resources";
const byPlacement = "use spec.scheduling, by which the operator finds nodes for a whole group";

/** What no platform can let a patch change, since the plan or the operator rests on it, and what to do instead. */
const kept: Readonly<Record<string, string>> = {
  "/spec/restartPolicy": "a rank that ends is started again, or its group is rebuilt",
  "/spec/schedulingGates": "the operator opens them when a whole group can run",
  "/spec/schedulingGroup": "use spec.scheduling.queue",
  "/spec/resourceClaims": "claims follow spec.hardware and spec.fabric",
  "/spec/resources": bySpecResources,
  "/spec/nodeName": byPlacement,
  "/spec/nodeSelector": byPlacement,
  "/spec/affinity": byPlacement,
  "/spec/tolerations": byPlacement,
  "/spec/schedulerName": byPlacement,
  "/spec/priorityClassName": byPlacement,
  "/spec/hostNetwork": "it is of the platform's network, MiMoPlatform hardware[].fabric",
  "/spec/containers/0/name": "the operator knows the server by it",
  "/spec/containers/0/image": "use spec.image",
  "/spec/containers/0/command": "use spec.server.extraArgs",
  "/spec/containers/0/args": "use spec.server.extraArgs",
  // It could hold any variable.
  "/spec/containers/0/envFrom": "use spec.server.extraEnv, or patch single variables into env",
  "/spec/containers/0/ports": "use spec.server.port",
  "/spec/containers/0/resources": bySpecResources,
  "/spec/containers/0/restartPolicy": "a rank that ends is started again, or its group is rebuilt",
};

/** The template with patches on it, one after the other, or the first of them that can't be. */
export function patchTemplate(template: PodTemplate, patches: readonly PodPatch[]): Patched {
  let document: unknown = template;
  for (const [index, patch] of patches.entries()) {
    const refused = (code: RefusalCode, message: string): Patched => ({
      ok: false,
      refusal: { code, field: `spec.podTemplate.patches[${index}]`, message },
    });
    const attempt = applied(document, patch);
    if ("problem" in attempt) return refused("PatchInvalid", attempt.problem);
    const owned = ownedChange(template, attempt.document);
    if (owned !== undefined) return refused("PatchOwned", `${owned}. Remove the patch`);
    document = attempt.document;
  }
  // Every patch is below /spec, and what makes it a pod's is kept.
  return { ok: true, template: { ...template, spec: patchedSpec.parse(document).spec } };
}

const patchedSpec = z.object({ spec: z.custom<V1PodSpec>() });

type Attempt = { readonly document: unknown } | { readonly problem: string };

/** cdk8s's applying takes a replacement of what isn't there for an addition, so the place is looked at first. */
function applied(document: unknown, { op, path, value }: PodPatch): Attempt {
  const problem = placeProblem(document, op, path);
  if (problem !== undefined) return { problem };
  try {
    const content: unknown = value === undefined ? undefined : JSON.parse(value);
    const operation = op === "remove" ? JsonPatch.remove(path) : JsonPatch[op](path, content);
    return { document: JsonPatch.apply(structuredClone(document), operation) };
  } catch (error) {
    const [reason] = String(error instanceof Error ? error.message : error).split("\n");
    return { problem: `${op} ${path} can't be applied: ${reason}` };
  }
}

function placeProblem(document: unknown, op: PodPatch["op"], path: string): string | undefined {
  if (op !== "add") return valueAt(document, path) === undefined ? nothingAt(path) : undefined;
  const parentPath = path.slice(0, path.lastIndexOf("/"));
  const last = path.slice(parentPath.length + 1);
  const parent = valueAt(document, parentPath);
  if (Array.isArray(parent)) {
    if (last === "-" || (isIndex(last) && Number(last) <= parent.length)) return undefined;
    return `${parentPath} is a list of ${parent.length}: write ${parentPath}/- to add to its end`;
  }
  if (typeof parent === "object" && parent !== null) return undefined;
  return nothingAt(parentPath);
}

const nothingAt = (path: string): string =>
  `there is nothing at ${path} of the pod template: add it first, or correct the path`;

const isIndex = (token: string): boolean => /^(0|[1-9][0-9]*)$/.test(token);

/** What a JSON pointer leads to; undefined where that is nowhere. */
function valueAt(document: unknown, pointer: string): unknown {
  return pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>((node, token) => {
      if (typeof node !== "object" || node === null || !Object.hasOwn(node, token)) return undefined;
      return Array.isArray(node) && !isIndex(token) ? undefined : Reflect.get(node, token);
    }, document);
}

/** What stays as it was rendered and didn't, whatever way the patch took to it. */
function ownedChange(template: PodTemplate, patched: unknown): string | undefined {
  const changed = Object.entries(kept).find(
    ([path]) => !isSame(valueAt(template, path), valueAt(patched, path)),
  );
  if (changed !== undefined) return `${changed[0]} is the plan's: ${changed[1]}`;
  return addedContainer(patched) ?? ownedVariableChange(template, patched);
}

const claimed = [
  "/resources/claims",
  "/resources/limits/nvidia.com~1gpu",
  "/resources/requests/nvidia.com~1gpu",
];

function addedContainer(patched: unknown): string | undefined {
  if (valueAt(patched, "/spec/containers/1") !== undefined)
    return "/spec/containers holds the server alone, by whose end a rank is judged: add another to /spec/initContainers, with restartPolicy Always";
  const greedy = listAt(patched, "/spec/initContainers").some((container) =>
    claimed.some((path) => valueAt(container, path) !== undefined),
  );
  return greedy ? "claims and GPUs are the server's: /spec/initContainers may not ask for them" : undefined;
}

function ownedVariableChange(template: PodTemplate, patched: unknown): string | undefined {
  const path = "/spec/containers/0/env";
  const before = listAt(template, path);
  const after = listAt(patched, path);
  const lost = before.find((variable) => {
    const named = after.filter((each) => nameOf(each) === nameOf(variable));
    return named.length !== 1 || !isSame(named[0], variable);
  });
  if (lost !== undefined)
    return `variable ${nameOf(lost)} is the plan's: ${ownedVariable(nameOf(lost)) ?? "use spec.server.extraEnv"}`;
  const rendered = new Set(before.map(nameOf));
  const owned = after.map(nameOf).find((name) => !rendered.has(name) && ownedVariable(name) !== undefined);
  return owned && `variable ${owned} is the plan's: ${ownedVariable(owned)}`;
}

function listAt(document: unknown, path: string): unknown[] {
  const list = valueAt(document, path);
  return Array.isArray(list) ? list : [];
}

const nameOf = (variable: unknown): string => String(valueAt(variable, "/name"));

const isSame = (one: unknown, other: unknown): boolean =>
  JSON.stringify(inKeyOrder(one)) === JSON.stringify(inKeyOrder(other));
