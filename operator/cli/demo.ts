import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";

/**
 * Runs the demonstration, which is part of the checkout and not of the installed command: it builds a control plane.
 * @returns its exit status
 */
export async function runDemo(args: readonly string[]): Promise<number> {
  const script = join(import.meta.dirname, "../../test/demo/demo.ts");
  if (!existsSync(script)) {
    process.stderr.write(
      "mimo demo runs in a checkout of mimo-operator, with Go at hand: there, run `make demo`.\n",
    );
    return 1;
  }
  const child = spawn(process.execPath, [script, ...args], { stdio: "inherit" });
  // The demonstration cleans up and then ends, and so does this; of Ctrl-C it hears twice, which does no harm.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  const [code] = await once(child, "exit");
  return typeof code === "number" ? code : 1;
}
