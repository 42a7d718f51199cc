/**
 * Stands in for the server of one rank: takes SGLang's argv, meets its peers, loads, serves and stops as SGLang does,
 * without a GPU. Of the argv it reads what places it in its group and ignores the rest.
 *
 * A container has a network and an /etc/hosts of its own; here the environment says what they would:
 *   STANDIN_ADDRESS   address of the pod; what binds to 0.0.0.0 binds to it
 *   STANDIN_NAME      full DNS name of the pod, which /etc/hosts has before DNS does
 *   STANDIN_HOSTS     file that plays DNS: JSON, name to address
 * and how it behaves (all have defaults):
 *   STANDIN_LOAD_MS             how long loading takes
 *   STANDIN_HOLD                file; waits before the phase in it: "rendezvous" or "load", with a rank after it for one only
 *   STANDIN_HEALTH_TIMEOUT_MS   after which a health generation counts as failed
 *   STANDIN_DRAIN_POLL_MS       how often a stopping rank 0 looks whether requests are left
 *   STANDIN_SIGTERM             ranks above 0: "ignore" (SGLang before 0.5.21) or "exit", once rank 0 has drained
 */
import { readFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";

const text = { type: "string" } as const;
const { values } = parseArgs({
  options: { "node-rank": text, nnodes: text, "dist-init-addr": text, host: text, port: text },
  strict: false,
});
const flag = (name: string, absent: string): string => {
  const value = values[name];
  return typeof value === "string" ? value : absent;
};
const number = (what: string, value: string): number => {
  if (!/^\d+$/.test(value)) end(2, `error: argument ${what}: invalid int value: '${value}'`);
  return Number(value);
};
const setting = (name: string, absent: number): number => number(name, process.env[name] || String(absent));

const rank = number("--node-rank", flag("node-rank", "0"));
const rankCount = number("--nnodes", flag("nnodes", "1"));
const port = number("--port", flag("port", "30000"));
const {
  STANDIN_ADDRESS: ownAddress = "127.0.0.1",
  STANDIN_NAME: ownName,
  STANDIN_HOSTS: hostsFile,
} = process.env;
const healthTimeout = setting("STANDIN_HEALTH_TIMEOUT_MS", 20_000);

interface Peer {
  readonly socket: Socket;
  readonly words: AsyncIterator<string>;
}
/** Peers that met: on rank 0 all others, on the others rank 0. */
const peers = new Map<number, Peer>();
let peersLost = false;

// Whoever runs the rank holds the other end: no rank outlives its test, however that ends.
process.stdin.resume().once("close", () => process.exit(137));
// As PID 1 a process without a handler of its own ignores SIGTERM. SGLang's comes with the server.
process.on("SIGTERM", () => {});

await held("rendezvous");
if (rankCount > 1) await (rank === 0 ? gather() : join());
await load();
serve();

function say(line: string): void {
  process.stdout.write(`[${new Date().toISOString()} rank ${flag("node-rank", "0")}] ${line}\n`);
}

function end(code: number, why: string): never {
  say(why);
  process.exit(code);
}

async function held(phase: string): Promise<void> {
  const file = process.env.STANDIN_HOLD;
  if (file === undefined) return;
  const isHeld = (): boolean => [phase, `${phase} ${rank}`].includes(readFileSync(file, "utf8"));
  if (isHeld()) say(`waits before ${phase}`);
  while (isHeld()) await delay(20);
}

function meetingPlace(): { host: string; port: number } {
  const parts = /^(.+):(\d+)$/.exec(flag("dist-init-addr", ""));
  if (parts?.[1] === undefined) end(2, `error: argument --dist-init-addr: '${flag("dist-init-addr", "")}'`);
  return { host: parts[1], port: Number(parts[2]) };
}

function resolve(name: string): string | undefined {
  if (name === ownName) return ownAddress;
  const hosts: Record<string, string> =
    hostsFile === undefined ? {} : JSON.parse(readFileSync(hostsFile, "utf8"));
  return hosts[name];
}

/** Rank 0: binds the meeting place and waits for all others. Later comers are refused. */
async function gather(): Promise<void> {
  const place = meetingPlace();
  const address = resolve(place.host);
  if (address === undefined) end(1, `cannot bind ${place.host}:${place.port}: No such device`);
  if (address !== ownAddress)
    end(1, `cannot bind ${place.host}:${place.port}: Cannot assign requested address`);
  const complete = Promise.withResolvers<void>();
  const server = createServer(async (socket) => {
    const peer = withPeer(socket);
    const from = Number(await nextWord(peer));
    if (peers.has(from) || peers.size === rankCount - 1) {
      say(`refused rank ${from} of ${socket.remoteAddress}`);
      socket.end("refused\n");
      return;
    }
    peers.set(from, peer);
    say(`rank ${from} of ${socket.remoteAddress} joined`);
    socket.once("close", () => {
      if (peers.size === rankCount - 1) losePeer(from);
      else peers.delete(from);
    });
    if (peers.size === rankCount - 1) complete.resolve();
  });
  server.once("error", (error) => end(1, `cannot bind ${place.host}:${place.port}: ${error.message}`));
  server.listen(place.port, address, () =>
    say(`waits for ${rankCount - 1} ranks at ${place.host}:${place.port}`),
  );
  await complete.promise;
  tellPeers("met");
}

/** Ranks above 0: dial until rank 0 takes them. */
async function join(): Promise<void> {
  const place = meetingPlace();
  let said = "";
  for (;;) {
    const address = resolve(place.host);
    const outcome = address === undefined ? "the name is unknown" : await dial(address, place.port);
    if (outcome === "met") return;
    const line = `${place.host}:${place.port} at ${address}: ${outcome}`;
    if (outcome === "refused") end(1, line);
    if (line !== said) say(line);
    said = line;
    await delay(100);
  }
}

/** "met" once rank 0 has all ranks, "refused" when it has no place for this one, else why there was no answer. */
function dial(host: string, place: number): Promise<string> {
  return new Promise((settle) => {
    const socket = connect({ host, port: place, localAddress: ownAddress }, () => socket.write(`${rank}\n`));
    socket.once("error", (error) => settle(error.message));
    socket.once("close", () => settle("the connection was closed"));
    const peer = withPeer(socket);
    void nextWord(peer).then((answer) => {
      if (answer === "met") {
        peers.set(0, peer);
        socket.once("close", () => losePeer(0));
      }
      settle(answer);
    });
  });
}

function withPeer(socket: Socket): Peer {
  // A reset is followed by "close", which counts the peer as lost.
  socket.on("error", () => {});
  return { socket, words: createInterface({ input: socket })[Symbol.asyncIterator]() };
}

/** The next word of a peer. Never comes, as a collective never ends, when the peer is gone. */
async function nextWord({ words }: Peer): Promise<string> {
  // The iterator fails with its socket.
  const next = await words.next().catch(() => undefined);
  return next === undefined || next.done === true ? new Promise(() => {}) : next.value;
}

function everyPeerSpoke(): Promise<unknown> {
  return Promise.all([...peers.values()].map(nextWord));
}

function tellPeers(word: string): void {
  for (const { socket } of peers.values()) socket.write(`${word}\n`);
}

/** Nothing tells the server: its next collective hangs. Its watchdog ends it after minutes, later than tests wait. */
function losePeer(peer: number): void {
  say(`lost the connection to rank ${peer}`);
  peersLost = true;
}

async function load(): Promise<void> {
  const step = setting("STANDIN_LOAD_MS", 500) / 10;
  say("Init torch distributed ends. mem usage=1.21 GB");
  say("Load weight begin. avail mem=273.52 GB");
  await held("load");
  for (let percent = 10; percent <= 100; percent += 10) {
    await delay(step);
    say(`Multi-thread loading shards: ${String(percent).padStart(3)}% Completed | ${percent / 10}/10`);
  }
  say("Load weight end. avail mem=143.10 GB, mem usage=130.42 GB.");
  tellPeers("loaded");
  await everyPeerSpoke();
  say("Memory pool end. avail mem=54.70 GB");
  say("Capture cuda graph begin. This can take up to several minutes. avail mem=54.31 GB");
  say("Capture cuda graph end. Time elapsed: 0.01 s. avail mem=52.88 GB.");
  say("max_total_num_tokens=2890000, chunked_prefill_size=16384, max_running_requests=128");
}

function serve(): void {
  const host = flag("host", "127.0.0.1");
  const server = createHttpServer(rank === 0 ? leader() : dummy());
  server.once("error", (error) => end(1, `cannot listen on ${host}:${port}: ${error.message}`));
  server.listen(port, host === "0.0.0.0" ? ownAddress : host, () =>
    say(rank === 0 ? "The server is fired up and ready to roll!" : "Dummy health check server started"),
  );
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A rank above 0 says that it is well, whatever happens. */
function dummy(): Handler {
  if (process.env.STANDIN_SIGTERM === "exit") {
    const drained = everyPeerSpoke();
    process.once("SIGTERM", () => void drained.then(() => end(0, "rank 0 has shut down")));
  }
  return (_, response) => void response.writeHead(200).end();
}

/** `POST /generate` is answered when its body ends, so that the caller says how long a generation takes. */
function leader(): Handler {
  let requests = 0;
  let unhealthy = false;
  let stopping = false;
  const drain = (): void => {
    stopping = true;
    const poll = (): void => {
      say(unhealthy ? "Signal SIGTERM received while health check failed. Force exiting." : remaining());
      if (!unhealthy && requests > 0) return;
      tellPeers("drained");
      process.exit(0);
    };
    setInterval(poll, setting("STANDIN_DRAIN_POLL_MS", 5000));
  };
  const remaining = (): string => `Gracefully exiting... Remaining number of requests ${requests}.`;
  process.once("SIGTERM", drain);

  return (request, response) => {
    const answer = (status: number): void => void response.writeHead(status).end();
    if (request.url === "/generate") {
      requests += 1;
      response.once("close", () => {
        requests -= 1;
      });
      request.resume().once("end", () => {
        if (!peersLost) answer(200);
      });
    } else if (request.url !== "/health") answer(404);
    else if (stopping) answer(503);
    else if (!peersLost) answer(200);
    else
      setTimeout(() => {
        unhealthy = true;
        answer(503);
      }, healthTimeout);
  };
}
