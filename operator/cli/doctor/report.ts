import { styleText } from "node:util";
import { alignColumns, wrapWords } from "../table.ts";
import type { Check } from "./check.ts";
import type { Diagnosis } from "./diagnose.ts";

const signs = {
  ok: ["green", "✔ ok"],
  warning: ["yellow", "! note"],
  failed: ["red", "✘ fails"],
  unknown: ["yellow", "? unknown"],
} as const;

const leastRoom = 30;

/** For people: the cluster, then its pairs; every check of a pair where they were asked for, else the one that decides. */
export function reportTable({ cluster, pairs }: Diagnosis, isDetailed: boolean, columns: number): string {
  const title = (text: string): string => styleText("bold", text);
  const details = isDetailed
    ? pairs.flatMap(({ variant, hardware, checks }) => [
        "",
        title(`${variant} on ${hardware}`),
        ...lines(checks, columns),
      ])
    : [
        "",
        title("Pairs"),
        ...lines(
          pairs.map(({ variant, hardware, decisive: { verdict, found } }) => ({
            about: `${variant} on ${hardware}`,
            verdict,
            found,
          })),
          columns,
        ),
      ];
  return `${[title("Cluster"), ...lines(cluster, columns), ...details].join("\n")}\n`;
}

function lines(checks: readonly Check[], columns: number): string[] {
  const width = Math.max(...checks.map(({ about }) => about.length)) + "  ? unknown    ".length;
  const room = Math.max(leastRoom, columns - width);
  return alignColumns(
    checks.flatMap(({ about, verdict, found, fix }) => {
      const [colour, sign] = signs[verdict];
      const words = [...wrapWords(found, room), ...(fix === undefined ? [] : wrapWords(`fix: ${fix}`, room))];
      return words.map((line, index) =>
        index === 0 ? [`  ${styleText(colour, sign)}`, about, line] : ["", "", line],
      );
    }),
  );
}

/** For programs; it may only grow. */
export const reportJson = ({ cluster, pairs }: Diagnosis): string =>
  `${JSON.stringify({ cluster, pairs }, undefined, 2)}\n`;
