import { execFile } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { hardwareKinds, variants } from "../../../crds/names.ts";
import { accepted } from "../synth/requests.ts";
import { consoleExamples, sectionOf, tableRows } from "./markdown.ts";

const root = resolve(import.meta.dirname, "../../..");
const read = (path: string): string => readFileSync(resolve(root, path), "utf8");
const pages = ["README.md", ...globSync("docs/**/*.md", { cwd: root })];

const shown = pages.flatMap((path) =>
  consoleExamples(read(path))
    .filter(({ command, output }) => command.startsWith("npm run -s mimo") && output.trim() !== "")
    // Run whole, on a control plane, by test/e2e/getting-started.test.ts.
    .filter(() => path !== "docs/getting-started.md")
    .map((example) => ({ path, ...example })),
);

/** What a shell in the checkout prints on standard output; a refusal's exit status is no failure here. */
async function printed(command: string): Promise<string> {
  const { FORCE_COLOR: _, ...env } = process.env;
  const running = promisify(execFile)("bash", ["-c", command], { cwd: root, env });
  const { stdout } = await running.catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === 1 && "stdout" in error)
      return { stdout: String(error.stdout) };
    throw error;
  });
  return stdout;
}

describe("output in the docs", () => {
  test("is shown at all", () => {
    expect(shown.length).toBeGreaterThan(2);
  });

  test.each(shown)("$path: $command prints what is shown", async ({ command, output }) => {
    expect(await printed(command)).toBe(output);
  });
});

test("README's table of recipes says what the planner says", () => {
  const tokens = (count: number): string =>
    count % 2 ** 20 === 0 ? `${count / 2 ** 20}M` : `${count / 2 ** 10}K`;
  const rows = tableRows(sectionOf(read("README.md"), "## Recipes"));
  const expected = variants.map((variant) => {
    const cells = hardwareKinds.map((hardware) => {
      const plan = accepted({ variant, hardware });
      const { nodes, gpusPerNode, tensorParallel, dataParallel, contextLength, provenance } = plan;
      const size = `${nodes} × ${gpusPerNode}, ${tensorParallel}/${dataParallel}`;
      return [hardware, `${size}, ${tokens(contextLength)}, ${provenance.level}`];
    });
    return { "": variant, ...Object.fromEntries(cells) };
  });
  expect(rows).toEqual(expected);
});

describe("links between pages", () => {
  const anchorsOf = (page: string): string[] =>
    [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    );
  const links = pages.flatMap((path) =>
    [...read(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => ({ path, target })),
  );

  test.each(links.filter(({ target }) => !/^https?:/.test(target)))(
    "$path leads to $target",
    ({ path, target }) => {
      const [file = "", anchor] = target.split("#");
      const there = file === "" ? resolve(root, path) : resolve(root, dirname(path), file);
      expect(existsSync(there)).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(readFileSync(there, "utf8"))).toContain(anchor);
    },
  );
});
