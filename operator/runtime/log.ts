import { type Logger, pino } from "pino";

/** A line waits so long for others: one write of many lines costs a fraction of a write for each. */
const gatherMilliseconds = 50;
/** Bytes; what has come to so much is written at once. */
const gatherBytes = 8192;

/** Lines of JSON on stdout. A process that is killed takes its last 50 ms with it; one that ends in any other way has told all. */
export function createLog(level: string): Logger {
  const stdout = pino.destination({ dest: 1, sync: true, minLength: gatherBytes });
  let gathering: NodeJS.Timeout | undefined;
  const flush = (): void => {
    gathering = undefined;
    stdout.flush();
  };
  process.once("exit", flush);
  const write = (line: string): void => {
    stdout.write(line);
    if (gathering === undefined) gathering = setTimeout(flush, gatherMilliseconds);
  };
  return pino({ level, base: {}, timestamp: pino.stdTimeFunctions.isoTime }, { write });
}
