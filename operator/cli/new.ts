import { stringify } from "yaml";
import { apiGroup, apiVersion, hardwareKinds, profiles, variants } from "../../crds/names.ts";
import { parseDeployment } from "../../crds/parse.ts";
import type { PlatformSpec } from "../../crds/platform.ts";
import { recipes } from "../../synth/catalogue/recipes.ts";
import { limitRefusals } from "../../synth/limits.ts";
import { planDeployment } from "../../synth/plan.ts";

/** What a new deployment is made of, as far as it is said. */
export interface Answers {
  readonly name?: string;
  readonly namespace?: string;
  readonly variant?: string;
  readonly hardware?: string;
  readonly profile?: string;
  readonly replicas?: string;
}

interface Question {
  readonly about: Exclude<keyof Answers, "namespace">;
  readonly text: string;
  readonly choices?: readonly string[];
  /** What an empty answer stands for; without one, an answer is needed. */
  readonly usual?: string;
}

export const questions: readonly Question[] = [
  { about: "variant", text: "Which model", choices: variants },
  { about: "hardware", text: "On which kind of node", choices: hardwareKinds },
  { about: "profile", text: "Tuned for what", choices: profiles, usual: "Balanced" },
  { about: "replicas", text: "How many serving groups, each a whole copy of the model", usual: "1" },
  { about: "name", text: "Under which name" },
];

export interface Conversation {
  /** The next line that a person wrote; undefined when there are no more. */
  readonly read: () => Promise<string | undefined>;
  readonly say: (text: string) => void;
}

/** Asks what isn't answered yet. @returns undefined when the person left before the end */
export async function ask(given: Answers, { read, say }: Conversation): Promise<Answers | undefined> {
  let answers = given;
  for (const { about, text, choices = [], usual } of questions) {
    while (answers[about] === undefined) {
      say(prompt(text, choices, usual));
      const line = await read();
      if (line === undefined) return undefined;
      const answer = chosen(line.trim(), choices, usual);
      if (answer === undefined)
        say(`Write ${choices.length > 0 ? "a number or a name of the list" : "something"}.\n`);
      else answers = { ...answers, [about]: answer };
    }
  }
  return answers;
}

function prompt(text: string, choices: readonly string[], usual: string | undefined): string {
  const list = choices.map((choice, index) => `  ${index + 1}  ${choice}\n`).join("");
  const question = `${text}?${usual === undefined ? "" : ` [${usual}]`} `;
  return list === "" ? question : `${text}?\n${list}${usual === undefined ? "" : `[${usual}] `}> `;
}

/** By number, by name in any case, or as it is where anything goes. */
function chosen(line: string, choices: readonly string[], usual: string | undefined): string | undefined {
  if (line === "") return usual;
  if (choices.length === 0) return line;
  return choices[Number(line) - 1] ?? choices.find((choice) => choice.toLowerCase() === line.toLowerCase());
}

export type NewDeployment = { readonly yaml: string } | { readonly refusals: readonly string[] };

/** A MiMoDeployment as a file, or every reason why the API server or the operator would refuse it. */
export function newDeployment(answers: Answers, platform: PlatformSpec | undefined): NewDeployment {
  const { name, namespace, variant, hardware, profile = "Balanced", replicas = "1" } = answers;
  const document = {
    apiVersion: `${apiGroup}/${apiVersion}`,
    kind: "MiMoDeployment",
    metadata: { name, ...(namespace !== undefined && { namespace }) },
    spec: {
      variant,
      hardware,
      ...(profile !== "Balanced" && { profile }),
      ...(replicas !== "1" && { replicas: /^\d+$/.test(replicas) ? Number(replicas) : replicas }),
    },
  };
  const parsed = parseDeployment(document);
  if (!parsed.ok) return { refusals: parsed.problems.map(({ message }) => message) };
  const planned = planDeployment(parsed, platform);
  const refusals = [
    ...limitRefusals(parsed.spec, platform ?? {}),
    ...(planned.accepted ? [] : planned.refusals),
  ];
  if (refusals.length > 0) return { refusals: refusals.map(({ field, message }) => `${field}: ${message}`) };
  const { nodes, gpusPerNode } = recipes[parsed.spec.variant][parsed.spec.hardware];
  const size = `${nodes === 1 ? "one node" : `${nodes} nodes`} with ${gpusPerNode} GPUs`;
  const heading = `# Each serving group takes ${size}. What else it becomes: mimo plan -f FILE\n`;
  return { yaml: heading + stringify(document) };
}
