/** Shows lines that change: in place on a terminal, and one after the other where the output is kept. */
import { clearScreenDown, moveCursor } from "node:readline";
import type { WriteStream } from "node:tty";

const usualRows = 24;
const usualColumns = 80;

export interface Screen {
  show(lines: readonly string[]): void;
}

export function createScreen(output: NodeJS.WriteStream): Screen {
  return output.isTTY ? inPlace(output) : oneAfterTheOther(output);
}

function inPlace(terminal: WriteStream): Screen {
  let shown = 0;
  return {
    show(lines) {
      // A line that the terminal wraps would be counted once and take two. Some terminals say 0 for a size.
      const { rows, columns } = terminal;
      const fitting = lines
        .slice(0, (rows || usualRows) - 1)
        .map((line) => line.slice(0, (columns || usualColumns) - 1));
      moveCursor(terminal, 0, -shown);
      clearScreenDown(terminal);
      terminal.write(fitting.map((line) => `${line}\n`).join(""));
      shown = fitting.length;
    },
  };
}

function oneAfterTheOther(output: NodeJS.WritableStream): Screen {
  let shown = "";
  return {
    show(lines) {
      const text = lines.map((line) => `${line}\n`).join("");
      if (text !== shown) output.write(`${text}\n`);
      shown = text;
    },
  };
}
