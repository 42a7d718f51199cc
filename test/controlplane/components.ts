/** Child processes that never outlive their parent, however it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { close, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

const LOG_TAIL_LINES = 20;

/**
 * Reads the ids to watch from its stdin. The parent holds the other end, so the kernel closes it when the parent is
 * gone for whatever reason, SIGKILL included; then everything still watched is killed.
 */
const WATCHDOG = `
watched=" "
while read -r verb pid; do
  case "$verb" in
    watch) watched="$watched$pid " ;;
    forget) watched="\${watched%% $pid *} \${watched#* $pid }" ;;
  esac
done
for pid in $watched; do kill -KILL "$pid"; done
`;

export interface ComponentExit {
  readonly name: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The running parts of one control plane. */
export interface Components {
  /** Process ids of the parts that run, by name. */
  pids(): Readonly<Record<string, number>>;
  /** Starts a program with its output in `<directory>/<name>.log`. */
  start(name: string, program: string, args: readonly string[], env?: Readonly<Record<string, string>>): void;
  /** Ends one part at once, as a crash would, and starts it as it was. */
  restart(name: string): Promise<void>;
  /** The first part that ended without being asked to. */
  failure(): ComponentExit | undefined;
  /** Last lines of a part's log. */
  logTail(name: string): Promise<string>;
  /** Ends one part and waits until it is gone. */
  stop(name: string): Promise<void>;
  /** Ends every part and waits until all are gone. */
  stopAll(): Promise<void>;
}

/** @param onFailure called with every part that ends without being asked to. */
export function createComponents(directory: string, onFailure: (exit: ComponentExit) => void): Components {
  const running = new Map<string, ChildProcess>();
  const asked = new Set<ChildProcess>();
  const started = new Map<string, Parameters<Components["start"]>>();
  let failure: ComponentExit | undefined;
  // A session of its own, so that Ctrl-C in the parent's terminal does not end it first.
  const watchdog = spawn("/bin/sh", ["-c", WATCHDOG], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  let stopping = false;
  watchdog.once("exit", (code, signal) => {
    if (!stopping) onFailure({ name: "watchdog", code, signal });
  });
  // A write to a dead watchdog fails; its exit above has already told.
  watchdog.stdin.on("error", () => {});

  const stop = async (name: string): Promise<void> => {
    const child = running.get(name);
    if (child === undefined) return;
    asked.add(child);
    const gone = once(child, "exit");
    // Nothing here outlives the run, so nothing is given time to finish: kube-apiserver alone would take a minute.
    child.kill("SIGKILL");
    await gone;
  };

  const components: Components = {
    pids: () =>
      Object.fromEntries([...running].flatMap(([name, { pid }]) => (pid === undefined ? [] : [[name, pid]]))),
    start(name, program, args, env = {}) {
      started.set(name, [name, program, args, env]);
      const log = openSync(join(directory, `${name}.log`), "a");
      const child = spawn(program, args, {
        cwd: directory,
        stdio: ["ignore", log, log],
        env: { ...process.env, ...env },
        detached: true,
      });
      close(log);
      const { pid } = child;
      if (pid === undefined) {
        child.once("error", () => onFailure({ name, code: null, signal: null }));
        failure ??= { name, code: null, signal: null };
        return;
      }
      running.set(name, child);
      watchdog.stdin.write(`watch ${pid}\n`);
      child.once("exit", (code, signal) => {
        running.delete(name);
        watchdog.stdin.write(`forget ${pid}\n`);
        if (asked.has(child)) return;
        failure ??= { name, code, signal };
        onFailure({ name, code, signal });
      });
    },
    async restart(name) {
      await stop(name);
      const former = started.get(name);
      if (former === undefined) throw new Error(`${name} was never started`);
      components.start(...former);
    },
    failure: () => failure,
    async logTail(name) {
      const text = await readFile(join(directory, `${name}.log`), "utf8");
      return text.trimEnd().split("\n").slice(-LOG_TAIL_LINES).join("\n");
    },
    stop,
    async stopAll() {
      await Promise.all([...running.keys()].map(stop));
      stopping = true;
      if (watchdog.exitCode !== null || watchdog.signalCode !== null) return;
      const gone = once(watchdog, "exit");
      watchdog.stdin.end();
      await gone;
    },
  };
  return components;
}
