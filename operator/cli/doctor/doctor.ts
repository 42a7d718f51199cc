import type { Cluster } from "../cluster-access.ts";
import { diagnose, type Wish } from "./diagnose.ts";
import { readFacts } from "./read.ts";
import { reportJson, reportTable } from "./report.ts";

export type DoctorFormat = "table" | "json";

/** @returns the exit status: 1 when none of the pairs asked for can be served */
export async function doctor(
  cluster: Cluster,
  wish: Wish,
  format: DoctorFormat,
  columns: number,
): Promise<0 | 1> {
  const diagnosis = diagnose(await readFacts(cluster), wish);
  const isAsked = wish.variant !== undefined || wish.hardware !== undefined;
  process.stdout.write(format === "json" ? reportJson(diagnosis) : reportTable(diagnosis, isAsked, columns));
  return isAsked && diagnosis.isHopeless ? 1 : 0;
}
