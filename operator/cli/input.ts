import type { Readable } from "node:stream";
import { apiGroup, apiVersion } from "../../crds/names.ts";
import { readDocuments, type SourceDocument } from "./documents.ts";
import { type Finding, formatDocument } from "./finding.ts";
import { readSource } from "./source.ts";

/** What a set of files holds. Platforms and deployments are told apart by apiVersion and kind; nothing else is checked yet. */
export interface Input {
  readonly deployments: readonly SourceDocument[];
  readonly platforms: readonly SourceDocument[];
  readonly findings: readonly Finding[];
  readonly notes: readonly string[];
}

/** Reads files whole ("-" is standard input), whatever is wrong with one of them. */
export async function readInput(files: readonly string[], stdin: Readable): Promise<Input> {
  const deployments: SourceDocument[] = [];
  const platforms: SourceDocument[] = [];
  const findings: Finding[] = [];
  const notes: string[] = [];
  for (const file of files) {
    const read = await readSource(file, stdin);
    if (!("text" in read)) {
      findings.push(read);
      continue;
    }
    const { documents, findings: broken } = readDocuments(read.source, read.text);
    findings.push(...broken);
    for (const document of documents) {
      const kind = classify(document.value);
      if (kind === "MiMoDeployment") deployments.push(document);
      else if (kind === "MiMoPlatform") platforms.push(document);
      else if ("problem" in kind)
        findings.push({ place: document.place, code: "UnsupportedValue", ...kind.problem });
      else notes.push(passedOver(document, "is no MiMoDeployment"));
    }
  }
  return { deployments, platforms, findings, notes };
}

type Class =
  | "MiMoDeployment"
  | "MiMoPlatform"
  | { readonly foreign: true }
  | { readonly problem: { readonly field: string; readonly message: string } };

/** What a document was meant to be: a slip in its version or in the case of its kind is for its schema to refuse. */
function classify(value: unknown): Class {
  const { apiVersion: given, kind } = fieldsOf(value);
  const ofGroup = typeof given === "string" && given.startsWith(`${apiGroup}/`);
  const ofAnotherGroup = !ofGroup && typeof given === "string" && given.includes("/");
  const meant = (["MiMoDeployment", "MiMoPlatform"] as const).find(
    (known) => known.toLowerCase() === String(kind).toLowerCase(),
  );
  if (meant !== undefined && !ofAnotherGroup) return meant;
  if (ofGroup) {
    const message = `kind takes MiMoDeployment or MiMoPlatform, not ${JSON.stringify(kind)}`;
    return { problem: { field: "kind", message } };
  }
  if (typeof kind === "string" && typeof given === "string") return { foreign: true };
  const message = `is no Kubernetes object: it needs apiVersion and kind, for example "apiVersion: ${apiGroup}/${apiVersion}" and "kind: MiMoDeployment"`;
  return { problem: { field: "", message } };
}

export function passedOver({ place, value }: SourceDocument, why: string): string {
  const { kind, metadata } = fieldsOf(value);
  const { name } = fieldsOf(metadata);
  const called = typeof name === "string" ? `${kind} ${name}` : `${kind}`;
  return `${place.source}: ${formatDocument(place)}: ${called} is passed over: ${why}`;
}

/** The fields of what may be no object at all. */
export const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? { ...value } : {};
