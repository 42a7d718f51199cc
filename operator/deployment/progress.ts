/** How far a rank has come with its start, by the log of its server. */
export type RankProgress =
  /** `percent` of the checkpoint, a multiple of 5; missing where the log gives no figure. */
  { readonly phase: "Loading"; readonly percent?: number } | { readonly phase: "CapturingGraphs" };

/** What tells of progress stands at the beginning of a line; what follows is not looked at. */
const tellingLength = 300;
/** Finer steps would cost a write of the status each. */
const stepPercent = 5;

const loadBegins = "Load weight begin";
const loadEnds = "Load weight end";
/** SGLang's own format of its progress bars. It draws one on the first rank alone. */
const bar = /\bloading [\w ]{1,60}: {0,3}(\d{1,3})% Completed \|/i;
/** With --weight-loader-prefetch-checkpoints, of each process of a node. */
const prefetch = /\bRank (\d{1,4}): prefetching checkpoint files: (\d{1,3})%/;
const capture = /\bCapture [\w -]{1,60}graph begin|\bCapturing (?:batches|num tokens) ?\(/i;

/**
 * Reads the end of a log of SGLang 0.5.7 to 0.5.23. The last that was said counts: with speculative decoding the draft
 * model is loaded after the graphs of the first one.
 * @returns undefined when the text says nothing of it
 */
export function readProgress(log: string): RankProgress | undefined {
  let phase: RankProgress["phase"] | undefined;
  let percent: number | undefined;
  // One process for each GPU, and each of them tells.
  let loading = 0;
  const prefetched = new Map<string, number>();
  // Bars return to the beginning of their line instead of ending it.
  for (const line of log.split(/[\r\n]/)) {
    const start = line.slice(0, tellingLength);
    const drawn = bar.exec(start);
    const fetched = drawn === null ? prefetch.exec(start) : null;
    if (drawn !== null) {
      phase = "Loading";
      percent = Number(drawn[1]);
    } else if (fetched !== null) {
      prefetched.set(fetched[1] ?? "", Number(fetched[2]));
      phase ??= "Loading";
    } else if (start.includes(loadBegins)) {
      if (loading === 0) {
        percent = undefined;
        prefetched.clear();
      }
      loading += 1;
      phase = "Loading";
    } else if (start.includes(loadEnds)) {
      loading = Math.max(0, loading - 1);
      phase = "Loading";
      if (loading === 0) percent = 100;
    } else if (capture.test(start)) {
      loading = 0;
      phase = "CapturingGraphs";
    }
  }
  if (phase !== "Loading") return phase === undefined ? undefined : { phase };
  const known = percent ?? (prefetched.size === 0 ? undefined : Math.min(...prefetched.values()));
  return known === undefined ? { phase } : { phase, percent: floored(known) };
}

const floored = (percent: number): number => Math.floor(Math.min(100, percent) / stepPercent) * stepPercent;

/** A group is as far as the rank that is furthest behind. Ranks that say nothing don't count. */
export function groupProgress(ranks: readonly (RankProgress | undefined)[]): RankProgress | undefined {
  const known = ranks.filter((rank) => rank !== undefined);
  const loading = known.filter((rank) => rank.phase === "Loading");
  if (loading.length === 0) return known[0];
  const percents = loading.flatMap(({ percent }) => percent ?? []);
  return percents.length === 0 ? { phase: "Loading" } : { phase: "Loading", percent: Math.min(...percents) };
}
