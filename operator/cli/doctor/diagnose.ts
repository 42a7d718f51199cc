import { type Hardware, hardwareKinds, type Variant, variants } from "../../../crds/names.ts";
import type { Check } from "./check.ts";
import { clusterChecks } from "./cluster-checks.ts";
import type { Facts } from "./facts.ts";
import { pairChecks } from "./pair-checks.ts";

export interface Wish {
  readonly variant?: Variant;
  readonly hardware?: Hardware;
}

export interface Pair {
  readonly variant: Variant;
  readonly hardware: Hardware;
  readonly checks: readonly Check[];
  /** The check that says most about whether the pair can be served: the first of the worst. */
  readonly decisive: Check;
}

export interface Diagnosis {
  readonly cluster: readonly Check[];
  readonly pairs: readonly Pair[];
  /** None of the pairs asked for can be served. */
  readonly isHopeless: boolean;
}

/** Judges the cluster, and each pair that is wished for: all of them when nothing is. */
export function diagnose(facts: Facts, wish: Wish): Diagnosis {
  const cluster = clusterChecks(facts);
  const pairs = variants
    .filter((variant) => variant === (wish.variant ?? variant))
    .flatMap((variant) =>
      hardwareKinds
        .filter((hardware) => hardware === (wish.hardware ?? hardware))
        .map((hardware) => {
          const checks = pairChecks(variant, hardware, facts);
          return { variant, hardware, checks, decisive: worst(checks) };
        }),
    );
  const isBroken = cluster.some(({ verdict }) => verdict === "failed");
  const isHopeless = isBroken || pairs.every(({ decisive }) => decisive.verdict === "failed");
  return { cluster, pairs, isHopeless };
}

function worst(checks: readonly Check[]): Check {
  for (const verdict of ["failed", "unknown"] as const) {
    const found = checks.find((check) => check.verdict === verdict);
    if (found !== undefined) return found;
  }
  const last = checks.at(-1);
  if (last === undefined) throw new Error("a pair without checks");
  return last;
}
