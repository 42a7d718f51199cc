import { styleText } from "node:util";
import { expect, it } from "vitest";
import { alignColumns, bar, wrapWords } from "../../../operator/cli/table.ts";

it("columns stand under one another, colour or not", () => {
  const red = styleText("red", "no", { validateStream: false });
  expect(
    alignColumns([
      ["NAME", "READY", "WHY"],
      ["long-name", red, ""],
      ["a", "yes", "it is"],
    ]),
  ).toEqual(["NAME       READY  WHY", `long-name  ${red}`, "a          yes    it is"]);
});

it("text is broken at blanks, and a longer word stays whole", () => {
  expect(wrapWords("one two incomprehensibility three", 9)).toEqual([
    "one two",
    "incomprehensibility",
    "three",
  ]);
  expect(wrapWords("", 9)).toEqual([]);
});

it("a bar shows parts of a whole, and no more than the whole", () => {
  expect(bar([25, 50], 100, 8)).toBe("██▒▒▒▒░░");
  expect(bar([90, 50], 100, 10)).toBe("█████████▒");
});
