/** HTTP probes of one running container. */
import { get } from "node:http";
import { systemClock as clock, pause } from "../../operator/runtime/clock.ts";
import type { Container, Probe } from "./pod-view.ts";

export interface ProbeEvents {
  /** The startup probe has passed; at once where there is none. */
  onStarted(): void;
  onReady(ready: boolean): void;
  /** The container has to be restarted. */
  onFailed(probe: "Startup" | "Liveness", graceSeconds: number | undefined): void;
}

/** Probes until aborted: readiness and liveness once startup has passed. A probe's seconds are scaled. */
export async function runProbes(
  container: Container,
  address: string,
  timeScale: number,
  signal: AbortSignal,
  events: ProbeEvents,
): Promise<void> {
  const watch = (probe: Probe, until: AbortSignal, onVerdict: (healthy: boolean) => void): Promise<void> =>
    repeat(probe, urlOf(probe, container, address), timeScale, until, onVerdict);
  const { startupProbe, readinessProbe, livenessProbe } = container;

  let started = startupProbe === undefined;
  if (startupProbe !== undefined) {
    const over = new AbortController();
    await watch(startupProbe, AbortSignal.any([signal, over.signal]), (healthy) => {
      over.abort();
      started = healthy;
      if (!healthy) events.onFailed("Startup", startupProbe.terminationGracePeriodSeconds);
    });
  }
  if (!started || signal.aborted) return;
  events.onStarted();
  if (readinessProbe === undefined) events.onReady(true);
  await Promise.all([
    readinessProbe && watch(readinessProbe, signal, events.onReady),
    livenessProbe &&
      watch(livenessProbe, signal, (healthy) => {
        if (!healthy) events.onFailed("Liveness", livenessProbe.terminationGracePeriodSeconds);
      }),
  ]);
}

async function repeat(
  probe: Probe,
  url: string,
  timeScale: number,
  signal: AbortSignal,
  onVerdict: (healthy: boolean) => void,
): Promise<void> {
  let failures = 0;
  await pause(clock, probe.initialDelaySeconds * 1000 * timeScale, signal);
  while (!signal.aborted) {
    const passed = await ask(url, probe.timeoutSeconds * 1000 * timeScale);
    if (signal.aborted) return;
    failures = passed ? 0 : failures + 1;
    if (passed || failures >= probe.failureThreshold) onVerdict(passed);
    await pause(clock, probe.periodSeconds * 1000 * timeScale, signal);
  }
}

function urlOf({ httpGet: { path, port } }: Probe, { ports }: Container, address: string): string {
  const number = typeof port === "number" ? port : ports.find(({ name }) => name === port)?.containerPort;
  if (number === undefined) throw new Error(`probe: the container has no port ${port}`);
  return `http://${address}:${number}${path}`;
}

function ask(url: string, timeoutMilliseconds: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false }, (response) => {
      response.resume();
      const { statusCode = 0 } = response;
      resolve(statusCode >= 200 && statusCode < 400);
    });
    // A probe has a deadline, not just a limit on silence.
    const deadline = setTimeout(() => request.destroy(), timeoutMilliseconds);
    request.once("close", () => {
      clearTimeout(deadline);
      resolve(false);
    });
    // Whatever keeps the answer away is a failed probe: "close" follows.
    request.once("error", () => {});
  });
}
