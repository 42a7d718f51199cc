import { z } from "zod";
import { askApi, callApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { operatorNamespace, type RunningOperator, startOperator } from "../e2e/operator.ts";

type Options = Omit<NonNullable<Parameters<typeof startOperator>[1]>, "name">;

/** One operator at a time, killed and started again as often as a test likes. */
export interface Operators {
  start(options?: Options): Promise<RunningOperator>;
  /** The one that was started last. */
  current(): RunningOperator;
  /** SIGKILL: it can't hand back its lease, finish a write or say a word. */
  kill(): Promise<void>;
  /** @throws Error when it ended before, or ends in another way than in good order */
  stop(): Promise<void>;
}

export const leasePath = `/apis/coordination.k8s.io/v1/namespaces/${operatorNamespace}/leases/mimo-operator`;

const leaseShape = z.object({
  spec: z.object({
    holderIdentity: z.string().default(""),
    renewTime: z.string().default(""),
    leaseTransitions: z.int().default(0),
  }),
});
export const readLease = async (controlPlane: ControlPlane) =>
  leaseShape.parse(await callApi(controlPlane, leasePath)).spec;

export function operatorsOf(controlPlane: ControlPlane): Operators {
  let running: RunningOperator | undefined;
  let count = 0;
  const start = async (options?: Options): Promise<RunningOperator> => {
    count += 1;
    const started = await startOperator(controlPlane, { ...options, name: `operator-${count}` });
    running = started;
    started.process.once("exit", async () => {
      // As its Deployment does: one that could not renew its lease in time has ended by itself.
      if (running === started && (await started.log()).includes('"kind":"lost"')) await start(options);
    });
    return started;
  };
  return {
    start,
    current: () => {
      if (running === undefined) throw new Error("no operator is running");
      return running;
    },
    kill: async () => {
      const ending = running;
      running = undefined;
      await ending?.stop("SIGKILL");
      // Else the next one waits 15 s until the lease runs out, which the elector's own tests look at.
      await askApi(controlPlane, leasePath, { method: "DELETE" });
    },
    stop: async () => {
      const ending = running;
      running = undefined;
      const code = await ending?.stop();
      if (code !== undefined && code !== 0)
        throw new Error(`the operator ended with ${code}: ${(await ending?.log())?.slice(-2000)}`);
    },
  };
}
