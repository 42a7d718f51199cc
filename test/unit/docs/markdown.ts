/** The part of a page from a heading to the next one of its level or above. @throws Error when the heading isn't there. */
export function sectionOf(page: string, heading: string): string {
  const lines = page.split("\n");
  const start = lines.indexOf(heading);
  if (start < 0) throw new Error(`no heading "${heading}"`);
  const level = heading.indexOf(" ");
  const length = lines.slice(start + 1).findIndex((line) => {
    const marks = /^(#+) /.exec(line)?.[1];
    return marks !== undefined && marks.length <= level;
  });
  return lines.slice(start, length < 0 ? undefined : start + 1 + length).join("\n");
}

/** Every row of every table in a text, as heading → cell. */
export function tableRows(text: string): Record<string, string>[] {
  const rows: Record<string, string>[] = [];
  let headings: readonly string[] | undefined;
  for (const line of text.split("\n")) {
    if (!line.startsWith("| ")) {
      headings = undefined;
      continue;
    }
    const cells = line.replaceAll("\\|", "\0").slice(1, -1).split("|");
    const texts = cells.map((cell) => cell.trim().replaceAll("\0", "|"));
    if (headings === undefined) headings = texts;
    else if (!texts.every((cell) => cell === "---")) {
      rows.push(Object.fromEntries(headings.map((heading, column) => [heading, texts[column] ?? ""])));
    }
  }
  return rows;
}

/** Shell commands of a page's `console` blocks with the output that stands below each. */
export function consoleExamples(page: string): { command: string; output: string }[] {
  return [...page.matchAll(/```console\n([\s\S]*?)```/g)].flatMap(([, block = ""]) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command = "", ...output] = part.split("\n");
        return { command, output: output.join("\n") };
      }),
  );
}
