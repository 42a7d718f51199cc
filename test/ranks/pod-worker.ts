/** The life of one pod on a node: its container's processes, their restarts and their end, and the status that tells it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { backoffSeconds } from "../../operator/runtime/backoff.ts";
import { systemClock as clock, pause } from "../../operator/runtime/clock.ts";
import { containerEnv, expand } from "./container-env.ts";
import type { PodView } from "./pod-view.ts";
import { runProbes } from "./probes.ts";

export interface PodHost {
  /** For the logs of this pod. */
  readonly directory: string;
  /** As the API shows it. */
  readonly podIp: string;
  /** Where the processes listen. */
  readonly address: string;
  /** Every second of Kubernetes takes this many here. */
  readonly timeScale: number;
  /** On top of what the pod's own specification says. */
  readonly env: Readonly<Record<string, string>>;
  /** The container waits for its image until it is true. */
  isPulled(): boolean;
  /** Both wait while the node can't reach the API server, and do nothing for a pod that is no longer there. */
  writeStatus(pod: PodView, status: object): Promise<void>;
  remove(pod: PodView): Promise<void>;
}

export interface PodWorker {
  pod(): PodView;
  readonly address: string;
  /** Undefined while no process runs. */
  pid(): number | undefined;
  /** How often the container was started again. */
  restarts(): number;
  /** Of the container's last run that is over, as its status tells it: 137 when it was killed. */
  exitCode(): number | undefined;
  /** Output of the container's last run; "" when there was none. */
  log(): string;
  /** Takes a newer state of the pod; undefined when the API server no longer has it. */
  see(pod: PodView | undefined): void;
  kill(signal: NodeJS.Signals): void;
  /** Kills the process and writes nothing any more. */
  abandon(): void;
  /** Resolves when the pod has ended and is out of the API server. */
  readonly done: Promise<void>;
}

/** The kubelet's: restarts at once, then after 10 s, 20 s ... five minutes; forgotten after ten good minutes. */
const restartBackoff = { baseSeconds: 10, maxSeconds: 300, jitter: 0 };
const forgetRestartsSeconds = 600;
/** What SIGTERM gets even when the preStop hook took all of the grace. Not scaled: no process ends any faster here. */
const leastGraceMilliseconds = 500;
const rankProgram = join(import.meta.dirname, "rank.ts");

interface Terminated {
  readonly exitCode: number;
  readonly reason: string;
  readonly message?: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly containerID: string;
}
type ContainerState =
  | { readonly running: { readonly startedAt: string } }
  | { readonly waiting: { readonly reason: string; readonly message?: string } }
  | { readonly terminated: Terminated };

export function startPodWorker(first: PodView, host: PodHost): PodWorker {
  const scaled = (seconds: number): number => seconds * 1000 * host.timeScale;
  const stopping = new AbortController();
  let pod = first;
  let abandoned = false;
  /** By the clock; moves forward when the pod is deleted again with less grace. */
  let killAt = Number.POSITIVE_INFINITY;
  let child: ChildProcess | undefined;
  let run = 0;
  let state: ContainerState = { waiting: { reason: "ContainerCreating" } };
  let last: Terminated | undefined;
  let started = false;
  let ready = false;
  const startTime = timestamp();
  const transitions = new Map<string, { readonly status: string; readonly time: string }>();
  mkdirSync(host.directory, { recursive: true });

  const containerId = (): string => `standin://${pod.metadata.uid}/${run}`;
  const logFile = (ofRun: number): string => join(host.directory, `${ofRun}.log`);
  const log = (): string => (existsSync(logFile(run)) ? readFileSync(logFile(run), "utf8") : "");

  function condition(type: string, holds: boolean): object {
    const status = holds ? "True" : "False";
    if (transitions.get(type)?.status !== status) transitions.set(type, { status, time: timestamp() });
    return { type, status, lastTransitionTime: transitions.get(type)?.time };
  }

  function phase(ended: Terminated | undefined): string {
    if (ended !== undefined) return ended.exitCode === 0 ? "Succeeded" : "Failed";
    return "waiting" in state && last === undefined ? "Pending" : "Running";
  }

  function podStatus(): object {
    const ended = stopping.signal.aborted && "terminated" in state ? state.terminated : undefined;
    const own = [
      condition("PodReadyToStartContainers", ended === undefined),
      condition("Initialized", true),
      condition("ContainersReady", ready),
      condition("Ready", ready),
    ];
    const names = new Set(transitions.keys());
    const [{ name, image }] = pod.spec.containers;
    return {
      phase: phase(ended),
      startTime,
      hostIP: "127.0.0.1",
      hostIPs: [{ ip: "127.0.0.1" }],
      podIP: host.podIp,
      podIPs: [{ ip: host.podIp }],
      conditions: [...pod.status.conditions.filter(({ type }) => !names.has(type)), ...own],
      containerStatuses: [
        {
          name,
          image,
          imageID: "",
          containerID: containerId(),
          restartCount: run,
          started,
          ready,
          state,
          lastState: last === undefined || "terminated" in state ? {} : { terminated: last },
        },
      ],
    };
  }

  let dirty = false;
  let flushing: Promise<void> | undefined;
  function publish(): Promise<void> {
    dirty = true;
    flushing ??= flush();
    return flushing;
  }
  async function flush(): Promise<void> {
    while (dirty && !abandoned) {
      dirty = false;
      await host.writeStatus(pod, podStatus());
    }
    flushing = undefined;
  }

  function spawnRank(): ChildProcess {
    const [container] = pod.spec.containers;
    // Anew for each run: annotations may have changed since the last.
    const env = containerEnv(pod, host.podIp);
    const argv = [...container.command, ...container.args].map((word) => expand(word, env));
    if (argv[0] !== "sglang" || argv[1] !== "serve")
      throw new Error(`${pod.metadata.name}: no stand-in for ${argv.slice(0, 2).join(" ")}`);
    const log = openSync(logFile(run), "a");
    try {
      return spawn(process.execPath, [rankProgram, ...argv.slice(2)], {
        env: { ...env, ...host.env },
        stdio: ["pipe", log, log],
      });
    } finally {
      closeSync(log);
    }
  }

  /** One run of the container, from start to exit. */
  async function runContainer(): Promise<Terminated> {
    const startedAt = timestamp();
    const process = spawnRank();
    child = process;
    const gone = once(process, "exit");
    state = { running: { startedAt } };
    void publish();
    const probing = new AbortController();
    const probes = runProbes(pod.spec.containers[0], host.address, host.timeScale, probing.signal, {
      onStarted: () => {
        started = true;
        void publish();
      },
      onReady: (value) => {
        if (value === ready) return;
        ready = value;
        void publish();
      },
      onFailed: (_, grace) => {
        // A pod that is being deleted is beyond liveness.
        if (stopping.signal.aborted) return;
        probing.abort();
        const limit = clock.monotonic() + scaled(grace ?? pod.spec.terminationGracePeriodSeconds);
        void terminate(process, () => Math.min(limit, killAt));
      },
    });
    await gone;
    probing.abort();
    await probes;
    child = undefined;
    started = false;
    ready = false;
    return { ...exitOf(process), startedAt, finishedAt: timestamp(), containerID: containerId() };
  }

  /** How the kubelet tells of a process's end. */
  function exitOf({
    exitCode,
    signalCode,
  }: ChildProcess): Pick<Terminated, "exitCode" | "reason" | "message"> {
    const code = exitCode ?? 128 + (signalCode === null ? 0 : constants.signals[signalCode]);
    if (code === 0) return { exitCode: code, reason: "Completed" };
    const { terminationMessagePolicy } = pod.spec.containers[0];
    if (terminationMessagePolicy !== "FallbackToLogsOnError") return { exitCode: code, reason: "Error" };
    return { exitCode: code, reason: "Error", message: log().split("\n").slice(-81).join("\n").slice(-2048) };
  }

  async function terminate(process: ChildProcess, limit: () => number): Promise<void> {
    const isGone = (): boolean => process.exitCode !== null || process.signalCode !== null;
    const goneBy = async (time: () => number): Promise<boolean> => {
      while (!isGone() && clock.monotonic() < time()) await delay(20);
      return isGone();
    };
    const hook = pod.spec.containers[0].lifecycle?.preStop?.sleep?.seconds ?? 0;
    const hookEnd = clock.monotonic() + scaled(hook);
    if (await goneBy(() => Math.min(hookEnd, limit()))) return;
    process.kill("SIGTERM");
    const least = clock.monotonic() + leastGraceMilliseconds;
    if (await goneBy(() => Math.max(limit(), least))) return;
    process.kill("SIGKILL");
  }

  async function live(): Promise<void> {
    void publish();
    while (!host.isPulled() && !stopping.signal.aborted) await delay(50);
    for (let failures = 0; !stopping.signal.aborted; run += 1) {
      const startedAt = clock.monotonic();
      last = await runContainer();
      state = { terminated: last };
      if (stopping.signal.aborted) break;
      if (clock.monotonic() - startedAt > scaled(forgetRestartsSeconds)) failures = 0;
      const wait = failures === 0 ? 0 : backoffSeconds(restartBackoff, failures, () => 0);
      failures += 1;
      if (wait > 0) {
        const message = `back-off ${wait}s restarting failed container=${pod.spec.containers[0].name}`;
        state = { waiting: { reason: "CrashLoopBackOff", message } };
      }
      // Restarts don't wait for the API server.
      void publish();
      await pause(clock, scaled(wait), stopping.signal);
      if (stopping.signal.aborted) break;
    }
    if (abandoned) return;
    await publish();
    await host.remove(pod);
  }

  return {
    pod: () => pod,
    address: host.address,
    pid: () => child?.pid,
    restarts: () => run,
    exitCode: () => last?.exitCode,
    log,
    see: (next) => {
      if (next === undefined && stopping.signal.aborted) return;
      pod = next ?? pod;
      const deleted = next === undefined || next.metadata.deletionTimestamp !== undefined;
      if (!deleted) return;
      const grace = next?.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds;
      killAt = Math.min(killAt, clock.monotonic() + scaled(grace));
      if (stopping.signal.aborted) return;
      stopping.abort();
      if (child !== undefined) void terminate(child, () => killAt);
    },
    kill: (signal) => child?.kill(signal),
    abandon: () => {
      abandoned = true;
      stopping.abort();
      child?.kill("SIGKILL");
    },
    done: live(),
  };
}

const timestamp = (): string => new Date().toISOString().replace(/\.\d+Z$/, "Z");
