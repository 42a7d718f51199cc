import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { z } from "zod";

/** What `npm audit --json` says of the packages in the lock file. */
const report = z.object({
  vulnerabilities: z.record(
    z.string(),
    z.object({
      severity: z.string(),
      range: z.string(),
      via: z.array(z.union([z.string(), z.object({ title: z.string(), url: z.string() })])),
    }),
  ),
  metadata: z.object({ dependencies: z.object({ prod: z.int() }) }),
});
const refusal = z.object({ message: z.string() });

export interface Verdict {
  /** Exit status: 0 nothing is known, 1 something is, 2 the registry gave no answer. */
  readonly status: 0 | 1 | 2;
  readonly text: string;
}

/** @param output of `npm audit --json`, whose own exit status is the same for a vulnerability and for no answer. */
export function verdictOf(output: string): Verdict {
  const answer = parseJson(output);
  const read = report.safeParse(answer);
  if (!read.success) {
    const why = refusal.safeParse(answer).data?.message ?? (output.trim().slice(0, 300) || "it said nothing");
    return {
      status: 2,
      text: `Not audited: npm's registry gave no report (${why}). Run it where the registry's audit can be reached.\n`,
    };
  }
  const { vulnerabilities, metadata } = read.data;
  const known = Object.entries(vulnerabilities);
  const { prod } = metadata.dependencies;
  if (known.length === 0)
    return { status: 0, text: `No vulnerability is known in the ${prod} packages that the operator uses.\n` };
  const lines = known.map(([name, { severity, range, via }]) => {
    const reasons = via.map((each) =>
      typeof each === "string" ? `by ${each}` : `${each.title} ${each.url}`,
    );
    return `  ${name} ${range}: ${severity}: ${reasons.join("; ")}\n`;
  });
  return {
    status: 1,
    text: `Vulnerabilities are known in packages that the operator uses:\n${lines.join("")}`,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

if (import.meta.main) {
  const cwd = resolve(import.meta.dirname, "..");
  execFile("npm", ["audit", "--json", "--omit=dev"], { cwd, maxBuffer: 2 ** 26 }, (error, stdout) => {
    const { status, text } = verdictOf(stdout === "" && error !== null ? error.message : stdout);
    process.stdout.write(text);
    process.exitCode = status;
  });
}
