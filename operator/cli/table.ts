import { stripVTControlCharacters } from "node:util";

/** Rows under one another, columns two blanks apart; the last is left ragged. Colour does not count as width. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.slice(0, -1).entries()) {
      widths[column] = Math.max(widths[column] ?? 0, displayWidth(cell));
    }
  }
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + " ".repeat((widths[column] ?? 0) - displayWidth(cell)),
      )
      .join("  ")
      .trimEnd(),
  );
}

/** Breaks at blanks so that no line is wider than `width`, save for a single longer word. */
export function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line === "") line = word;
    else if (displayWidth(line) + 1 + displayWidth(word) <= width) line += ` ${word}`;
    else {
      lines.push(line);
      line = word;
    }
  }
  return line === "" ? lines : [...lines, line];
}

/** "███████▒▒▒▒▒░░░░": each part in its own shade, the rest of the whole left light. */
export function bar(parts: readonly number[], whole: number, width: number): string {
  let filled = 0;
  let sum = 0;
  const drawn = parts.map((part, index) => {
    sum += part;
    const end = Math.min(width, Math.round((sum / whole) * width));
    const length = Math.max(0, end - filled);
    filled += length;
    return (shades[index] ?? "░").repeat(length);
  });
  return drawn.join("") + "░".repeat(Math.max(0, width - filled));
}

const shades = ["█", "▒"];

const displayWidth = (text: string): number => [...stripVTControlCharacters(text)].length;
