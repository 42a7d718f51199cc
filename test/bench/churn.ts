/** What users and machines do to deployments all day, at random and the same again for the same seed. */
import { resources } from "../../charts/resources.ts";
import { objectPath } from "../../operator/runtime/paths.ts";
import { callApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { type Fault, inject, podFaults } from "../controlplane/faults.ts";
import { deploymentsPath } from "../e2e/cluster.ts";
import type { GroupPods } from "./group-pods.ts";
import { isReady } from "./group-system.ts";

/** Deployments that are there at the same time, at most. */
const population = 30;
/** Short enough that the lease can still be renewed in time. */
const longestPauseMilliseconds = 2000;

/** Number in [0, 1). */
export type Random = () => number;

/** The generator known as mulberry32: small, and good enough to choose by. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Churn {
  /** Does one thing, whatever comes up, and says what it was. */
  step(): Promise<string>;
  /** Names of the deployments that are there. */
  names(): readonly string[];
}

/** @param pods those of all deployments of the namespace. */
export function createChurn(
  controlPlane: ControlPlane,
  namespace: string,
  pods: GroupPods,
  random: Random,
): Churn {
  const names: string[] = [];
  let created = 0;
  const choose = <T>(from: readonly T[]): T | undefined => from[Math.floor(random() * from.length)];
  const patch = async (name: string, spec: object): Promise<void> => {
    const contentType = "application/merge-patch+json";
    const path = objectPath(resources.mimoDeployments, { namespace, name });
    await callApi(controlPlane, path, { method: "PATCH", body: { spec }, contentType });
  };

  async function create(): Promise<string> {
    const name = `d${created}`;
    created += 1;
    const pair = choose([
      { variant: "MiMo-V2.5-Pro", hardware: "H20" },
      { variant: "MiMo-V2-Flash", hardware: "H20" },
    ]);
    await callApi(controlPlane, deploymentsPath(namespace), {
      method: "POST",
      body: {
        apiVersion: "mimo.dev/v1alpha1",
        kind: "MiMoDeployment",
        metadata: { namespace, name },
        spec: { ...pair, replicas: 1 + Math.floor(random() * 2) },
      },
    });
    names.push(name);
    return `create ${name}`;
  }

  async function remove(name: string): Promise<string> {
    await callApi(controlPlane, deploymentsPath(namespace, name), { method: "DELETE" });
    names.splice(names.indexOf(name), 1);
    return `delete ${name}`;
  }

  async function change(name: string): Promise<string> {
    const spec = choose([
      { replicas: Math.floor(random() * 4) },
      { profile: choose(["Balanced", "Latency", "Throughput"]) },
      { suspend: random() < 0.3 },
      { recovery: { maxRestarts: 1 + Math.floor(random() * 9) } },
    ]);
    await patch(name, spec ?? {});
    return `change ${name}: ${JSON.stringify(spec)}`;
  }

  async function hurt(name: string, fault: Fault): Promise<string> {
    const victim = choose(pods.of({ namespace, name }).filter(isReady));
    const pod = victim && { namespace, name: victim.metadata.name };
    return pod !== undefined && (await inject(controlPlane, fault, pod))
      ? `${fault}: ${pod.name}`
      : "nobody to hurt";
  }

  async function freeze(): Promise<string> {
    const pid = controlPlane.pids["kube-apiserver"];
    if (pid === undefined) throw new Error("kube-apiserver doesn't run");
    const milliseconds = Math.round(random() * longestPauseMilliseconds);
    process.kill(pid, "SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    process.kill(pid, "SIGCONT");
    return `kube-apiserver stopped for ${milliseconds} ms`;
  }

  return {
    names: () => names,
    step: () => {
      const name = choose(names);
      const dice = random();
      if (name === undefined || (dice < 0.25 && names.length < population)) return create();
      if (dice < 0.35) return remove(name);
      if (dice < 0.65) return change(name);
      if (dice < 0.67) return freeze();
      return hurt(name, choose(podFaults) ?? "pod deleted");
    },
  };
}
