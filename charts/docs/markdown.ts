/** A table of GitHub's Markdown. Cells keep their Markdown; what would break the row is escaped. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(headings), line(headings.map(() => "---")), ...rows.map(line)].join("\n");
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll(/\s*\n\s*/g, " ");

export const code = (text: string): string => `\`${text}\``;

export const bullets = (items: readonly string[]): string => items.map((item) => `- ${item}`).join("\n");

/** Blocks a blank line apart, as a page that says where it comes from. */
export function page(source: string, blocks: readonly string[]): string {
  const origin = `<!-- Written by \`npm run ${source}\`: edit its source, not this file. -->`;
  return `${[origin, ...blocks.filter((block) => block !== "")].join("\n\n")}\n`;
}
