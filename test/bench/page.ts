/** Puts docs/performance.md together from the sections that the benchmarks print. */
import { readFile } from "node:fs/promises";
import { page } from "../../charts/docs/markdown.ts";

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error(
    "usage: npm run -s bench:page -- FILE... > docs/performance.md\nEach FILE is what a benchmark printed with --markdown, or wrote as .md with --dir.",
  );
  process.exitCode = 2;
} else {
  const sections = await Promise.all(files.map((file) => readFile(file, "utf8")));
  const blocks = ["# Performance", ...sections.map((section) => section.trim())];
  process.stdout.write(page("bench:page", blocks));
}
