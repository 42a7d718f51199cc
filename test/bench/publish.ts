import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** How a benchmark's result is shown: for a terminal, and as a section of docs/performance.md. */
export interface Views<T> {
  readonly text: (result: T) => string;
  readonly section: (result: T) => string;
}

export interface PublishOptions {
  readonly json: boolean;
  readonly markdown: boolean;
  /** Keeps `<benchmark>.json` and `<benchmark>.md`, too. */
  readonly dir?: string | undefined;
}

/** Prints a result in the form that was asked for. */
export async function publish<T extends { readonly benchmark: string }>(
  result: T,
  { text, section }: Views<T>,
  { json, markdown, dir }: PublishOptions,
): Promise<void> {
  const data = JSON.stringify(result, undefined, 2);
  if (dir !== undefined) {
    await writeFile(join(dir, `${result.benchmark}.json`), data);
    await writeFile(join(dir, `${result.benchmark}.md`), section(result));
  }
  console.log(json ? data : markdown ? section(result) : text(result));
}
