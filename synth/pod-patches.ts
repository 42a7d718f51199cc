import type { PodPatch } from "../crds/deployment.ts";
import type { Findings } from "./errors.ts";

/** Judges patches as far as that can be done without the pods: each at a place that the platform allows, each value JSON. */
export function checkPodPatches(
  patches: readonly PodPatch[],
  allowed: readonly string[],
  findings: Findings,
): void {
  patches.forEach(({ path, value }, index) => {
    const field = `spec.podTemplate.patches[${index}]`;
    if (!allowed.some((part) => path === part || path.startsWith(`${part}/`))) {
      const message = podPatchRefusal(path, allowed.join(", ") || "no entry").join("");
      findings.refusals.push({ code: "NotAllowed", field: `${field}.path`, message });
    }
    if (value !== undefined && !isJson(value)) {
      const message = `${value} is not JSON: text stands in quotes of its own, for example '"Default"'`;
      findings.refusals.push({ code: "PatchInvalid", field: `${field}.value`, message });
    }
  });
  if (patches.length > 0)
    findings.warnings.push(
      "spec.podTemplate.patches change pods in ways that were not tried with any recipe: look at `mimo render`",
    );
}

/** The sentence, in pieces: the admission policy says the same with expressions in their places. */
export const podPatchRefusal = <T>(path: T, allowed: T): readonly (T | string)[] => [
  path,
  " may not be patched, for MiMoPlatform allowedPodTemplatePaths has ",
  allowed,
  "; leave the patch out, or ask your platform team",
];

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
