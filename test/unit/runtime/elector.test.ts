import fc from "fast-check";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../../charts/kubernetes.ts";
import type { Client } from "../../../operator/runtime/client-api.ts";
import { type Clock, sleep } from "../../../operator/runtime/clock.ts";
import { type ElectionEnd, runElection } from "../../../operator/runtime/elector.ts";
import { ApiError } from "../../../operator/runtime/errors.ts";
import type { WriteGate } from "../../../operator/runtime/request.ts";
import { createFakeClock, type FakeClock, settle } from "./fake-clock.ts";

interface Lease extends KubeObject {
  spec: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

/** The API server's one Lease, with optimistic locking. */
interface LeaseCell {
  lease: Lease | undefined;
  writes: number;
}

type Network = "up" | "hangs" | "losesAnswers";

interface Contender {
  readonly identity: string;
  network: Network;
  gate: WriteGate | undefined;
  end: ElectionEnd | undefined;
  /** Runs nothing until resumed, while time goes on. */
  suspend(): void;
  resume(): void;
  suspended(): boolean;
  leads(): boolean;
  readonly stop: AbortController;
}

function refuse(code: number, reason: string): ApiError {
  return new ApiError("lease", { code, reason, message: reason, retryAfterSeconds: undefined, causes: [] });
}

function stand(cell: LeaseCell, shared: FakeClock, identity: string, wallSkewMilliseconds = 0): Contender {
  let suspended = false;
  const deferred: (() => void)[] = [];
  const whenRunning = (callback: () => void) => (suspended ? void deferred.push(callback) : callback());
  const clock: Clock = {
    now: () => shared.now() + wallSkewMilliseconds,
    monotonic: shared.monotonic,
    setTimeout: (callback, milliseconds) => {
      let cancelled = false;
      const cancel = shared.setTimeout(() => whenRunning(() => cancelled || callback()), milliseconds);
      return () => {
        cancelled = true;
        cancel();
      };
    },
  };

  async function call<T>(
    options: { timeoutSeconds?: number; signal?: AbortSignal | undefined },
    act: () => T,
  ): Promise<T> {
    const hang = () => sleep(clock, (options.timeoutSeconds ?? 0) * 1000, options.signal);
    if (contender.network === "up") {
      const result = act();
      await new Promise<void>(whenRunning);
      return result;
    }
    if (contender.network === "losesAnswers") act();
    await hang();
    throw new Error("no answer");
  }

  function put(object: KubeObject, version: string | undefined): KubeObject {
    if (cell.lease?.metadata.resourceVersion !== version) throw refuse(409, "Conflict");
    cell.writes += 1;
    const metadata = { ...object.metadata, resourceVersion: String(cell.writes) };
    cell.lease = structuredClone({ ...object, metadata }) as Lease;
    return structuredClone(cell.lease);
  }

  const client: Pick<Client, "get" | "create" | "update"> = {
    get: <T extends KubeObject>(_resource: object, _ref: object, options = {}) =>
      call(options, () => {
        if (cell.lease === undefined) throw refuse(404, "NotFound");
        return structuredClone(cell.lease) as KubeObject as T;
      }),
    create: <T extends KubeObject>(_resource: object, object: KubeObject, options = {}) =>
      call(options, () => {
        if (cell.lease !== undefined) throw refuse(409, "AlreadyExists");
        return put(object, undefined) as T;
      }),
    update: <T extends KubeObject>(_resource: object, object: KubeObject, options = {}) =>
      call(options, () => {
        if (cell.lease === undefined) throw refuse(404, "NotFound");
        return put(object, object.metadata.resourceVersion) as T;
      }),
  };

  const contender: Contender = {
    identity,
    network: "up",
    gate: undefined,
    end: undefined,
    stop: new AbortController(),
    suspended: () => suspended,
    suspend: () => {
      suspended = true;
    },
    resume: () => {
      suspended = false;
      for (const callback of deferred.splice(0)) callback();
    },
    leads: () => !suspended && contender.gate?.held() === true,
  };
  void runElection({
    client,
    lease: { namespace: "mimo-system", name: "mimo-operator" },
    identity,
    clock,
    random: () => 0.5,
    log: pino({ level: "silent" }),
    onStartedLeading: (gate) => {
      contender.gate = gate;
    },
    onStoppedLeading: () => expect(contender.gate?.held()).toBe(false),
    signal: contender.stop.signal,
  }).then((end) => {
    contender.end = end;
  });
  return contender;
}

function setUp(): { clock: FakeClock; cell: LeaseCell } {
  return { clock: createFakeClock(), cell: { lease: undefined, writes: 0 } };
}

test("one of two leads; its renewals keep the other out", async () => {
  const { clock, cell } = setUp();
  const [a, b] = [stand(cell, clock, "a"), stand(cell, clock, "b")];
  for (let second = 0; second < 120; second += 1) {
    await clock.advance(1_000);
    expect([a.leads(), b.leads()]).toEqual([true, false]);
  }
  expect(cell.lease?.spec).toMatchObject({
    holderIdentity: "a",
    leaseDurationSeconds: 15,
    leaseTransitions: 0,
  });
});

test("times on the lease have the six fractional digits the API server demands", async () => {
  const { clock, cell } = setUp();
  stand(cell, clock, "a");
  await settle();
  expect(cell.lease?.spec.renewTime).toBe("2026-01-01T00:00:00.000000Z");
});

test("when the holder crashes the other takes over once the lease has run out, not before", async () => {
  const { clock, cell } = setUp();
  const [a, b] = [stand(cell, clock, "a"), stand(cell, clock, "b")];
  await clock.advance(10_000);
  a.suspend();
  await clock.advance(12_000);
  expect(b.leads()).toBe(false);
  await clock.advance(6_000);
  expect(b.leads()).toBe(true);
  expect(cell.lease?.spec.leaseTransitions).toBe(1);
});

test("a clean stop releases the lease and the other leads within 3 s", async () => {
  const { clock, cell } = setUp();
  const [a, b] = [stand(cell, clock, "a"), stand(cell, clock, "b")];
  await clock.advance(10_000);
  a.stop.abort();
  await settle();
  expect(a.end).toEqual({ kind: "released" });
  await clock.advance(3_000);
  expect(b.leads()).toBe(true);
});

test("a renewal whose answer was lost does not spoil the release", async () => {
  const { clock, cell } = setUp();
  const a = stand(cell, clock, "a");
  await clock.advance(1_000);
  a.network = "losesAnswers";
  await clock.advance(1_500);
  a.stop.abort();
  a.network = "up";
  await clock.advance(6_000);
  expect(a.end).toEqual({ kind: "released" });
  expect(cell.lease?.spec.holderIdentity).toBe("");
});

test("cut off from the API server, the holder stops writing 10 s after its last renewal", async () => {
  const { clock, cell } = setUp();
  const a = stand(cell, clock, "a");
  await clock.advance(4_000);
  a.network = "hangs";
  await clock.advance(9_900);
  expect(a.leads()).toBe(true);
  await clock.advance(100);
  expect(a.leads()).toBe(false);
  expect(a.gate?.signal.aborted).toBe(true);
  expect(a.end).toMatchObject({
    kind: "lost",
    reason: expect.stringMatching(/not renewed for 10 s: no answer/),
  });
});

test("a process that was suspended refuses to write from its first instruction on", async () => {
  const { clock, cell } = setUp();
  const a = stand(cell, clock, "a");
  await clock.advance(4_000);
  clock.suspend(30_000);
  expect(a.gate?.held()).toBe(false);
});

test("clocks that are five minutes apart change nothing", async () => {
  const { clock, cell } = setUp();
  const a = stand(cell, clock, "a", -300_000);
  const b = stand(cell, clock, "b", 300_000);
  await clock.advance(60_000);
  expect([a.leads(), b.leads()]).toEqual([true, false]);
});

describe("a lease that a person touches", () => {
  test("deleted, it is made again by its holder; the other waits as long as if it were there", async () => {
    const { clock, cell } = setUp();
    const [a, b] = [stand(cell, clock, "a"), stand(cell, clock, "b")];
    for (let round = 0; round < 10; round += 1) {
      await clock.advance(1_300);
      cell.lease = undefined;
      await clock.advance(2_600);
      expect([a.leads(), b.leads()]).toEqual([true, false]);
      expect(cell.lease).toMatchObject({ spec: { holderIdentity: "a" } });
    }
  });

  test("given to another by hand, the holder stops at its next renewal", async () => {
    const { clock, cell } = setUp();
    const a = stand(cell, clock, "a");
    await clock.advance(4_500);
    if (cell.lease !== undefined) {
      const { lease } = cell;
      const metadata = { ...lease.metadata, resourceVersion: "999" };
      cell.lease = { ...lease, metadata, spec: { ...lease.spec, holderIdentity: "somebody" } };
    }
    await clock.advance(2_000);
    expect(a.leads()).toBe(false);
    expect(a.end).toEqual({ kind: "lost", reason: "somebody holds the lease" });
  });
});

test("whatever fails, never two lead; once all is well, one does", async () => {
  const who = fc.nat(2);
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("advance" as const), ticks: fc.integer({ min: 1, max: 40 }) }),
    },
    fc.record({ kind: fc.constantFrom("up", "hangs", "losesAnswers", "suspend", "resume", "stop"), who }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const { clock, cell } = setUp();
      let born = 0;
      const reborn = (): Contender => {
        born += 1;
        return stand(cell, clock, `process-${born}`, (born % 3) * 200_000 - 200_000);
      };
      const fleet = [reborn(), reborn(), reborn()];
      const tick = async () => {
        await clock.advance(500);
        expect(fleet.filter((each) => each.leads()).length).toBeLessThanOrEqual(1);
        // A process that lost, or was stopped, is started again by its kubelet.
        for (const [index, each] of fleet.entries()) if (each.end !== undefined) fleet[index] = reborn();
      };
      for (const each of steps) {
        if (each.kind === "advance" && "ticks" in each) for (let i = 0; i < each.ticks; i += 1) await tick();
        const chosen = "who" in each ? fleet[each.who] : undefined;
        if (chosen === undefined) continue;
        if (each.kind === "up" || each.kind === "hangs" || each.kind === "losesAnswers")
          chosen.network = each.kind;
        if (each.kind === "suspend") chosen.suspend();
        if (each.kind === "resume") chosen.resume();
        if (each.kind === "stop") chosen.stop.abort();
        expect(fleet.filter((contender) => contender.leads()).length).toBeLessThanOrEqual(1);
      }
      for (const each of fleet) {
        each.network = "up";
        each.resume();
      }
      for (let i = 0; i < 80; i += 1) await tick();
      expect(fleet.filter((each) => each.leads())).toHaveLength(1);
    }),
    { numRuns: 40 },
  );
}, 30_000);
