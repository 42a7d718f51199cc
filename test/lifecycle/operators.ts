import { askApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { operatorNamespace, type RunningOperator, startOperator } from "../e2e/operator.ts";

type Options = Omit<NonNullable<Parameters<typeof startOperator>[1]>, "name">;

/** One operator at a time, killed and started again as often as a test likes. */
export interface Operators {
  start(options?: Options): Promise<void>;
  /** SIGKILL: it can't hand back its lease, finish a write or say a word. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export function operatorsOf(controlPlane: ControlPlane): Operators {
  let running: RunningOperator | undefined;
  let count = 0;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = running;
    running = undefined;
    await ending?.stop(signal);
  };
  return {
    start: async (options) => {
      count += 1;
      running = await startOperator(controlPlane, { ...options, name: `operator-${count}` });
    },
    kill: async () => {
      await end("SIGKILL");
      // Else the next one waits 15 s until the lease runs out, which the elector's own tests look at.
      const lease = `/apis/coordination.k8s.io/v1/namespaces/${operatorNamespace}/leases/mimo-operator`;
      await askApi(controlPlane, lease, { method: "DELETE" });
    },
    stop: () => end("SIGTERM"),
  };
}
