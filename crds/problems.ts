import type { z } from "zod";
import { closest } from "./spelling.ts";
import { fieldPath, type UnknownField } from "./unknown-fields.ts";

/** One thing wrong with a document, in words that say what to write instead. */
export interface Problem {
  readonly code:
    | "UnknownField"
    | "MissingField"
    | "WrongType"
    | "UnsupportedValue"
    | "OutOfRange"
    | "TooLong"
    | "TooMany"
    | "Duplicate"
    | "InvalidValue";
  /** "spec.server.extraEnv[1].name"; empty for the document itself. */
  readonly field: string;
  readonly message: string;
}

export function unknownFieldProblem({ path, didYouMean }: UnknownField): Problem {
  const remedy = didYouMean === undefined ? "remove it" : `did you mean ${didYouMean}?`;
  return { code: "UnknownField", field: path, message: `there is no field ${path}: ${remedy}` };
}

/** @param issue of a parse with `reportInput`, which tells a missing field from one of the wrong type. */
export function issueProblem(issue: z.core.$ZodIssue): Problem {
  const field = fieldPath(issue.path);
  const named = field === "" ? "the document" : field;
  const problem = (code: Problem["code"], message: string): Problem => ({
    code,
    field,
    message: `${named} ${message}`,
  });
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined)
        return problem("MissingField", `is missing: it is needed and takes ${noun(issue.expected)}`);
      return problem("WrongType", wrongType(issue.expected, issue.input));
    case "invalid_value": {
      const values = issue.values.map(String);
      const choice =
        values.length === 1
          ? `${values[0]}`
          : `one of ${values.slice(0, -1).join(", ")} and ${values.at(-1)}`;
      if (issue.input === undefined) return problem("MissingField", `is missing: write ${choice}`);
      const meant = typeof issue.input === "string" ? closest(issue.input, values) : undefined;
      const hint = meant === undefined || values.length === 1 ? "" : `; did you mean ${meant}?`;
      return problem("UnsupportedValue", `takes ${choice}, not ${shown(issue.input)}${hint}`);
    }
    case "too_big":
      if (issue.origin === "array")
        return problem("TooMany", `takes at most ${issue.maximum} items: remove the others`);
      return problem("OutOfRange", `is at most ${issue.maximum}, not ${shown(issue.input)}`);
    case "too_small":
      if (issue.origin === "string")
        return problem("InvalidValue", "may not be empty: write it, or leave the field out");
      return problem("OutOfRange", `is at least ${issue.minimum}, not ${shown(issue.input)}`);
    case "custom":
      switch (issue.params?.problem) {
        case "TooLong":
          return problem("TooLong", `${issue.message}: shorten it`);
        case "TooMany":
          return problem("TooMany", `${issue.message}: remove the others`);
        case "Duplicate":
          return { code: "Duplicate", field, message: `${named}: ${issue.message}` };
        default:
          return { code: "InvalidValue", field, message: issue.message };
      }
    default:
      return problem("InvalidValue", issue.message);
  }
}

const nouns: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object with fields",
  record: "an object with fields",
};

const noun = (type: string): string => nouns[type] ?? type;

function wrongType(expected: string, input: unknown): string {
  const quoted = typeof input === "string" && input !== "" && Number.isFinite(Number(input));
  if (quoted && (expected === "int" || expected === "number"))
    return `takes ${noun(expected)}, not text: write ${input} without quotes`;
  if (expected === "string" && (typeof input === "number" || typeof input === "boolean"))
    return `takes text: write "${input}" in quotes`;
  return `takes ${noun(expected)}, not ${shown(input)}`;
}

/** A value in a sentence, cut where it would bury the sentence. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const written = JSON.stringify(value) ?? String(value);
  return written.length <= 60 ? written : `${written.slice(0, 60)}…`;
}
