import { globSync, readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../../..");

/** Data flows along this line, so a file may import from its own part and from those before it. */
const parts = ["crds", "synth", "charts", "operator"];
const importStatement =
  /(?:^|\n)\s*(?:import|export)\b[^"';]*?from\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)|(?:^|\n)import\s+"([^"]+)"/g;

interface Import {
  readonly from: string;
  readonly to: string;
}

function importsOf(file: string): Import[] {
  const source = readFileSync(resolve(root, file), "utf8");
  return [...source.matchAll(importStatement)]
    .map(([, ...targets]) => targets.find((target) => target !== undefined) ?? "")
    .filter((target) => target.startsWith("."))
    .map((target) => ({ from: file, to: relative(root, resolve(root, dirname(file), target)) }));
}

const files = parts.flatMap((part) => globSync(`${part}/**/*.ts`, { cwd: root }));
const imports = files.flatMap(importsOf);
const partOf = (file: string): number => parts.indexOf(file.split("/")[0] ?? "");

describe("imports", () => {
  test("are found at all", () => {
    expect(imports.length).toBeGreaterThan(50);
  });

  test("go only against the flow of data: crds → synth → charts → operator", () => {
    const wrong = imports.filter(
      ({ from, to }) => to !== "package.json" && (partOf(to) === -1 || partOf(to) > partOf(from)),
    );
    expect(wrong).toEqual([]);
  });

  test("keep the runtime free of MiMo: it takes Kubernetes' shapes and nothing else from outside", () => {
    const wrong = imports.filter(
      ({ from, to }) =>
        from.startsWith("operator/runtime/") &&
        !to.startsWith("operator/runtime/") &&
        to !== "charts/kubernetes.ts",
    );
    expect(wrong).toEqual([]);
  });
});
