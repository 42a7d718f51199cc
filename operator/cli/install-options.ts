import type { Readable } from "node:stream";
import { type Command, InvalidArgumentError, Option } from "commander";
import { type InstallValues, installValues } from "../../charts/install-values.ts";
import { installValuesSchema, type Leaf, leaves } from "../../charts/values-schema.ts";
import { issueProblem, type Problem, unknownFieldProblem } from "../../crds/problems.ts";
import { unknownFields } from "../../crds/unknown-fields.ts";
import { readDocuments } from "./documents.ts";
import { type Finding, formatFinding } from "./finding.ts";
import { fieldsOf } from "./input.ts";
import { readSource } from "./source.ts";

type Values = Readonly<Record<string, unknown>>;

/** One value that has an option of its own. */
interface ValueOption {
  readonly path: readonly string[];
  readonly option: Option;
}

/** An option for every value that is one word, a number, yes or no, or a list of words; the others need a file. */
export const valueOptions = (): ValueOption[] => leaves(installValuesSchema()).flatMap(valueOption);

function valueOption({ path, schema }: Leaf): ValueOption[] {
  const { type, items, description, default: fallback } = schema;
  const flag = path
    .map((word) => word.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`))
    .join("-");
  if (type === "boolean") {
    const form = fallback === true ? `--no-${flag}` : `--${flag}`;
    return [{ path, option: new Option(form, fallback === true ? `off: ${description}` : description) }];
  }
  if (type === "array" && items?.type === "string")
    return [{ path, option: new Option(`--${flag} <name...>`, description) }];
  if (type === "integer") {
    const option = new Option(`--${flag} <number>`, shown(description, fallback)).argParser(wholeNumber);
    return [{ path, option }];
  }
  if (type !== undefined && type !== "string") return [];
  const option = new Option(`--${flag} <text>`, shown(description, fallback));
  return [{ path, option: schema.enum === undefined ? option : option.choices(schema.enum) }];
}

const shown = (description: string, fallback: unknown): string =>
  fallback === undefined || fallback === "" ? description : `${description} (default: ${fallback})`;

function wholeNumber(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError("write a whole number.");
  return Number(value);
}

/** What the command line says of values; options that weren't given are not in it. */
export function valuesOfOptions(command: Command, options: readonly ValueOption[]): Values {
  return options
    .filter(({ option }) => command.getOptionValueSource(option.attributeName()) === "cli")
    .reduce<Values>(
      (values, { path, option }) =>
        merge(values, nested(path, command.getOptionValue(option.attributeName()))),
      {},
    );
}

const nested = (path: readonly string[], value: unknown): Values => {
  const [key = "", ...rest] = path;
  return { [key]: rest.length === 0 ? value : nested(rest, value) };
};

/** As Helm does it: maps field by field, null takes a value away, everything else replaces what was there. */
export function merge(below: Values, above: Values): Values {
  const merged: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const under = merged[key];
    if (value === null) delete merged[key];
    else merged[key] = isMap(value) && isMap(under) ? merge(under, value) : value;
  }
  return merged;
}

const isMap = (value: unknown): value is Values =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The values of files, the later over the earlier, with those of options over all; or every reason why they can't be used. */
export async function readInstallValues(
  files: readonly string[],
  options: Values,
  stdin: Readable,
): Promise<{ readonly values: InstallValues } | { readonly refusals: readonly string[] }> {
  const refusals: string[] = [];
  let given: Values = {};
  for (const file of files) {
    const read = await readSource(file, stdin);
    if (!("text" in read)) {
      refusals.push(formatFinding(read));
      continue;
    }
    const { documents, findings } = readDocuments(read.source, read.text);
    refusals.push(...findings.map(formatFinding));
    for (const { value, place, lineOf } of documents) {
      const finding = (problem: Problem): Finding => ({
        ...problem,
        place: { source: place.source, line: lineOf(problem.field) },
      });
      refusals.push(...problemsOf(value).map(finding).map(formatFinding));
      given = merge(given, fieldsOf(value));
    }
  }
  if (refusals.length > 0) return { refusals };
  const parsed = installValues.safeParse(merge(merge({ ...installValues.parse({}) }, given), options));
  if (parsed.success) return { values: parsed.data };
  return { refusals: parsed.error.issues.map(issueProblem).map(({ message }) => message) };
}

function problemsOf(value: unknown): Problem[] {
  const unknown = unknownFields(installValues, value).map(unknownFieldProblem);
  if (unknown.length > 0) return unknown;
  const parsed = installValues.safeParse(withoutNulls(value), { reportInput: true });
  return parsed.success ? [] : parsed.error.issues.map(issueProblem);
}

const withoutNulls = (value: unknown): unknown =>
  isMap(value)
    ? Object.fromEntries(
        Object.entries(value)
          .filter(([, item]) => item !== null)
          .map(([key, item]) => [key, withoutNulls(item)]),
      )
    : value;
