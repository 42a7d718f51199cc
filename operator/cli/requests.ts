import type { Readable } from "node:stream";
import { acceptDeployment } from "../../charts/accept.ts";
import { apiGroup, apiVersion } from "../../crds/names.ts";
import { parseDeployment, parsePlatform } from "../../crds/parse.ts";
import type { PlatformSpec } from "../../crds/platform.ts";
import { limitRefusals } from "../../synth/limits.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import type { SourceDocument } from "./documents.ts";
import { type Finding, formatDocument } from "./finding.ts";
import { fieldsOf, type Input, passedOver, readInput } from "./input.ts";

/** What became of one MiMoDeployment of the input. */
export type Outcome =
  | { readonly accepted: true; readonly plan: ServingPlan; readonly replicas: number }
  | { readonly accepted: false; readonly name: string; readonly findings: readonly Finding[] };

export interface Review {
  /** One for each MiMoDeployment, in the order of the input. */
  readonly outcomes: readonly Outcome[];
  /** Everything that is wrong anywhere in the input, what the outcomes say included, in its order. */
  readonly findings: readonly Finding[];
  /** What was passed over, in words. */
  readonly notes: readonly string[];
}

/**
 * Reads and plans all that the files hold ("-" is standard input). The MiMoPlatform comes from `platformFile`, else from
 * among the files; without one the catalogue's defaults hold.
 */
export async function reviewFiles(
  files: readonly string[],
  platformFile: string | undefined,
  stdin: Readable,
): Promise<Review> {
  const input = await readInput(files, stdin);
  const platform = await choosePlatform(input, platformFile, stdin);
  const outcomes = planAll(input.deployments, platform);
  const findings = [
    ...input.findings,
    ...platform.findings,
    ...outcomes.flatMap((outcome) => (outcome.accepted ? [] : outcome.findings)),
  ];
  if (input.deployments.length + input.platforms.length + findings.length === 0) {
    const message = `holds no MiMoDeployment of ${apiGroup}/${apiVersion}: name the file that does`;
    findings.push({
      place: { source: files.map(sourceName).join(", ") },
      code: "NothingFound",
      field: "",
      message,
    });
  }
  const order = [...files, platformFile ?? []].flat().map(sourceName);
  findings.sort(
    ({ place: a }, { place: b }) =>
      order.indexOf(a.source) - order.indexOf(b.source) || (a.document ?? 0) - (b.document ?? 0),
  );
  const notes = [...input.notes, ...platform.notes];
  if (input.deployments.length === 0 && findings.length === 0) {
    notes.push("the MiMoPlatform is accepted; there is no MiMoDeployment to plan for it");
  }
  return { outcomes, findings, notes };
}

function planAll(documents: readonly SourceDocument[], platform: ChosenPlatform): Outcome[] {
  const firstOfName = new Map<string, SourceDocument>();
  return documents.map((document) => {
    const { name, subject } = identify(document.value);
    const refuse = (...problems: readonly Omit<Finding, "place">[]): Outcome => ({
      accepted: false,
      name,
      findings: problems.map((problem) => ({ ...problem, place: at(document, problem.field), subject })),
    });
    const parsed = parseDeployment(document.value);
    if (!parsed.ok) return refuse(...parsed.problems);
    const first = firstOfName.get(subject);
    if (first !== undefined) {
      const message = `metadata.name is the same as in ${whereIs(first)}: keep one of the two`;
      return refuse({ code: "Duplicate", field: "metadata.name", message });
    }
    firstOfName.set(subject, document);
    if (!platform.usable) {
      const message = "can't be planned while the MiMoPlatform is refused: correct that first";
      return refuse({ code: "PlatformRefused", field: "", message });
    }
    const limits = limitRefusals(parsed.spec, platform.spec ?? {});
    const result = acceptDeployment(parsed, platform.spec);
    if (!result.accepted) return refuse(...limits, ...result.refusals);
    if (limits.length > 0) return refuse(...limits);
    return { accepted: true, plan: result.plan, replicas: parsed.spec.replicas };
  });
}

interface ChosenPlatform {
  readonly spec: PlatformSpec | undefined;
  /** False when the platform that counts is wrong: what would be planned with another is not what would run. */
  readonly usable: boolean;
  readonly findings: readonly Finding[];
  readonly notes: readonly string[];
}

async function choosePlatform(
  input: Input,
  platformFile: string | undefined,
  stdin: Readable,
): Promise<ChosenPlatform> {
  const inline = readPlatforms(input.platforms);
  if (platformFile === undefined) return { ...inline, usable: inline.findings.length === 0, notes: [] };
  const { spec, findings } = await readPlatformFile(platformFile, stdin);
  return {
    spec,
    usable: findings.length === 0,
    findings: [...inline.findings, ...findings],
    notes: input.platforms.map((document) =>
      passedOver(document, `that of ${sourceName(platformFile)} counts`),
    ),
  };
}

/** The MiMoPlatform of a file ("-" is standard input), or what is wrong with it. */
export async function readPlatformFile(
  path: string,
  stdin: Readable,
): Promise<Pick<ChosenPlatform, "spec" | "findings">> {
  const file = await readInput([path], stdin);
  const { spec, findings: refusals } = readPlatforms(file.platforms);
  const findings = [...file.findings, ...refusals];
  if (spec === undefined && findings.length === 0) {
    const place = { source: sourceName(path) };
    const message = "holds no MiMoPlatform: name the file that does";
    findings.push({ place, code: "NoPlatform", field: "", message });
  }
  return { spec, findings };
}

function readPlatforms(documents: readonly SourceDocument[]): Pick<ChosenPlatform, "spec" | "findings"> {
  const findings: Finding[] = [];
  let first: { document: SourceDocument; spec: PlatformSpec } | undefined;
  for (const document of documents) {
    const { subject } = identify(document.value);
    const parsed = parsePlatform(document.value);
    if (!parsed.ok) {
      findings.push(
        ...parsed.problems.map((problem) => ({ ...problem, place: at(document, problem.field), subject })),
      );
    } else if (first === undefined) first = { document, spec: parsed.spec };
    else {
      const message = `a cluster has one MiMoPlatform, and ${whereIs(first.document)} has it: keep one of the two`;
      findings.push({ place: document.place, subject, code: "Duplicate", field: "", message });
    }
  }
  return { spec: first?.spec, findings };
}

/** Name and "MiMoDeployment team-a/pro", as far as a document that may be wrong has them. */
function identify(document: unknown): { name: string; subject: string } {
  const { kind, metadata } = fieldsOf(document);
  const { name, namespace } = fieldsOf(metadata);
  const called = typeof name === "string" ? name : "";
  if (String(kind).toLowerCase() !== "mimodeployment")
    return { name: called, subject: `${kind} ${called}`.trimEnd() };
  return {
    name: called,
    subject: `${kind} ${typeof namespace === "string" ? namespace : "default"}/${called}`,
  };
}

const at = ({ place, lineOf }: SourceDocument, field: string): Finding["place"] => ({
  ...place,
  line: lineOf(field),
});

const whereIs = ({ place }: SourceDocument): string => `${place.source}, ${formatDocument(place)}`;

const sourceName = (path: string): string => (path === "-" ? "standard input" : path);
