/** What a process used, from Linux's /proc: CPU time hardly moves when others use the machine too. */
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

/** USER_HZ, which Linux has fixed at 100 for everything that leaves the kernel. */
const millisecondsPerTick = 10;
/** Longer than progress of a status may be held back, so that quiet is no pause between two writes. */
const quietSeconds = 7;
/** Renewing a lease and reading bookmarks stay far below. */
const quietShare = 0.02;

/** Milliseconds of CPU, user and system, since the process began. */
export async function cpuMilliseconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The program's name, in parentheses, may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * millisecondsPerTick;
}

/** Memory in RAM, now and at its highest. */
export async function residentMib(pid: number): Promise<{ readonly now: number; readonly peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const mib = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
  return { now: mib("VmRSS"), peak: mib("VmHWM") };
}

/** Resolves once the process has nothing to do for some seconds. */
export async function untilQuiet(pid: number, limitSeconds: number): Promise<void> {
  const deadline = performance.now() + limitSeconds * 1000;
  for (let before = await cpuMilliseconds(pid); performance.now() < deadline; ) {
    await delay(quietSeconds * 1000);
    const after = await cpuMilliseconds(pid);
    if (after - before < quietShare * quietSeconds * 1000) return;
    before = after;
  }
  throw new Error(`process ${pid} was still busy after ${limitSeconds} s`);
}
