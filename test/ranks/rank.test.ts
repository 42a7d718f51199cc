/** The stand-in itself: what the other tests here take from SGLang for granted. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../e2e/eventually.ts";
import { expand } from "./container-env.ts";

interface Rank {
  readonly process: ChildProcess;
  says(words: string): Promise<unknown>;
  /** Exit code, or the signal that ended it. */
  readonly end: Promise<number | string>;
}

const addresses = ["127.77.0.1", "127.77.0.2", "127.77.0.3"] as const;
let directory: string;
let hosts: string;
let started: Rank[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mimo-rank-"));
  hosts = join(directory, "hosts.json");
  await writeFile(hosts, JSON.stringify({ leader: addresses[0] }));
});
afterEach(async () => {
  for (const { process } of started) process.kill("SIGKILL");
  await Promise.all(started.map(({ end }) => end));
  started = [];
  await rm(directory, { recursive: true });
});

function start(rank: number, address: string, port: number, env: Record<string, string> = {}): Rank {
  const meeting = ["--nnodes", "2", "--node-rank", String(rank), "--dist-init-addr", `leader:${port}`];
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, "rank.ts"), ...meeting, "--host", "0.0.0.0"],
    {
      env: { STANDIN_ADDRESS: address, STANDIN_HOSTS: hosts, STANDIN_LOAD_MS: "10", ...env },
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  let log = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const begun: Rank = {
    process: child,
    says: (words) =>
      eventually(`rank ${rank} says "${words}"`, async () => {
        if (log.includes(words)) return true;
        throw new Error(log);
      }),
    end: once(child, "exit").then(([code, signal]) => code ?? signal),
  };
  started.push(begun);
  return begun;
}

async function pair(sigterm: "exit" | "ignore"): Promise<[Rank, Rank]> {
  const both: [Rank, Rank] = [
    start(0, addresses[0], 20_000, { STANDIN_DRAIN_POLL_MS: "50", STANDIN_HEALTH_TIMEOUT_MS: "50" }),
    start(1, addresses[1], 20_000, { STANDIN_SIGTERM: sigterm }),
  ];
  await both[0].says("ready to roll");
  await both[1].says("Dummy health check server started");
  return both;
}

describe("the stand-in for a rank", () => {
  test("finds its peers at the given port and nowhere else", async () => {
    const leader = start(0, addresses[0], 20_040);
    await leader.says("waits for 1 ranks");
    await start(1, addresses[1], 20_000).says("ECONNREFUSED");
    start(1, addresses[2], 20_040);
    await leader.says(`rank 1 of ${addresses[2]} joined`);
  });

  test("refuses a second rank 1", async () => {
    await pair("ignore");
    expect(await start(1, addresses[2], 20_000).end).toBe(1);
  });

  test("above 0 ends at SIGTERM only since SGLang learned it, and after rank 0", async () => {
    const [leader, other] = await pair("exit");
    other.process.kill("SIGTERM");
    leader.process.kill("SIGTERM");
    expect(await leader.end).toBe(0);
    expect(await other.end).toBe(0);
  });

  test("above 0 ignored SIGTERM before", async () => {
    const [leader, other] = await pair("ignore");
    leader.process.kill("SIGTERM");
    other.process.kill("SIGTERM");
    expect(await leader.end).toBe(0);
    await other.says("lost the connection to rank 0");
    other.process.kill("SIGKILL");
    expect(await other.end).toBe("SIGKILL");
  });

  test.each([
    { dead: 0, left: 1, health: 200 },
    { dead: 1, left: 0, health: 503 },
  ] as const)("$left goes on when rank $dead dies, and answers its health with $health", async (each) => {
    const both = await pair("ignore");
    both[each.dead].process.kill("SIGKILL");
    await both[each.left].says(`lost the connection to rank ${each.dead}`);
    const { status } = await fetch(`http://${addresses[each.left]}:30000/health`);
    expect(status).toBe(each.health);
    expect(both[each.left].process.exitCode).toBeNull();
  });
});

test("variables are filled in as the kubelet does it", () => {
  expect(expand("$(A):$(B) $$(A) $(MISSING) $A", { A: "1", B: "2" })).toBe("1:2 $(A) $(MISSING) $A");
});
