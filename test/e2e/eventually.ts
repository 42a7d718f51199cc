/** Between two questions: soon at first, then seldom enough that many that wait don't keep the API server busy. */
const growing = { first: 25, longest: 400, growth: 1.4 };

/** Asks again until the answer is there. @throws Error with the last reason when it doesn't come in time. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  timeoutSeconds = 60,
  pauses = growing,
): Promise<T> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  let reason = "no answer yet";
  let pause = pauses.first;
  while (performance.now() < deadline) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pauses.longest, pause * pauses.growth);
  }
  throw new Error(`${what}: not within ${timeoutSeconds} s (${reason})`);
}
