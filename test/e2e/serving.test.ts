import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { callApi } from "../controlplane/api.ts";
import { kubectl } from "../controlplane/kubectl.ts";
import { deploymentsPath, type PodShape, startCluster, type TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { type RunningOperator, startOperator } from "./operator.ts";

let cluster: TestCluster;
let operator: RunningOperator;

beforeAll(async () => {
  cluster = await startCluster();
  operator = await startOperator(cluster.controlPlane, { resyncSeconds: 5 });
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});
afterEach(() => cluster.clear());

describe("two lines of YAML", () => {
  test("become served models: the examples go Ready on nodes of their hardware", async () => {
    const namespace = await cluster.namespace("examples");
    const files = ["v2-flash-h200", "v2.5-b200", "v2.5-pro-gb300"].map((name) => `examples/${name}.yaml`);
    const names = files.map((file) =>
      String(parseAllDocuments(readFileSync(file, "utf8"))[0]?.getIn(["metadata", "name"])),
    );
    for (const file of files) {
      const applied = await kubectl(cluster.controlPlane, ["apply", "-n", namespace, "-f", "-"], {
        input: readFileSync(file, "utf8").replace(/^ {2}namespace: .*\n/gm, ""),
      });
      expect(applied.stderr).toBe("");
    }
    await Promise.all(names.map((name) => cluster.becomesReady(namespace, name)));
    const byHardware = Object.fromEntries(
      await Promise.all(
        names.map(async (name) => [name, (await cluster.status(namespace, name)).groups?.[0]?.nodes]),
      ),
    );
    expect(Object.values(byHardware)).toEqual([
      [expect.stringMatching(/^h200-/)],
      [expect.stringMatching(/^b200-/)],
      [expect.stringMatching(/^gb300-/), expect.stringMatching(/^gb300-/)],
    ]);
    expect((await cluster.status(namespace, names[2] ?? "")).plan).toMatchObject({
      nodes: 2,
      gpusPerNode: 4,
      tensorParallel: 8,
    });
  });

  test("cost the API server no more writes than there are objects and gated pods, and four", async () => {
    const namespace = await cluster.namespace("cost");
    await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "GB300" });
    await cluster.becomesReady(namespace, "pro");
    const writes = await cluster.operatorWrites(namespace);
    const objects = writes.filter(({ verb, resource }) => verb === "create" && resource !== "events").length;
    const gated = writes.filter(({ verb, resource }) => verb === "patch" && resource === "pods").length;
    expect({ objects, gated }).toEqual({ objects: 7, gated: 2 });
    expect(
      writes.length,
      writes.map(({ verb, resource, subresource }) => `${verb} ${resource}/${subresource}`).join(", "),
    ).toBeLessThanOrEqual(objects + gated + 4);
    expect(writes.filter(({ code }) => code >= 400)).toEqual([]);
  });

  test("cost nothing any more once they are served: no write in 60 s of resyncs every 5 s", async () => {
    const namespace = await cluster.namespace("idle");
    await cluster.apply(namespace, "flash", { variant: "MiMo-V2-Flash", hardware: "H200" });
    await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "H200" });
    await Promise.all(["flash", "pro"].map((name) => cluster.becomesReady(namespace, name)));
    const settled = await eventually("the last write is old", async () => {
      const writes = await cluster.operatorWrites(namespace);
      const last = writes.at(-1)?.time.getTime() ?? 0;
      return Date.now() - last > 6000 ? writes.length : undefined;
    });
    await new Promise((resolve) => setTimeout(resolve, 60_000));
    expect((await cluster.operatorWrites(namespace)).slice(settled)).toEqual([]);
  }, 120_000);
});

describe("the ranks of a group", () => {
  test("stay behind the gate until all of them exist", async () => {
    const namespace = await cluster.namespace("gate");
    const quota = { metadata: { name: "one-pod" }, spec: { hard: { pods: "1" } } };
    await callApi(cluster.controlPlane, `/api/v1/namespaces/${namespace}/resourcequotas`, {
      method: "POST",
      body: quota,
    });
    await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "GB300" });
    const [only] = await eventually("one rank exists", async () => {
      const pods = await cluster.pods(namespace);
      return pods.length === 1 ? pods : undefined;
    });
    expect((await cluster.condition(namespace, "pro", "Ready", "False")).reason).toBe("Pending");
    expect(only?.spec.schedulingGates).toHaveLength(1);

    await callApi(cluster.controlPlane, `/api/v1/namespaces/${namespace}/resourcequotas/one-pod`, {
      method: "DELETE",
    });
    await eventually(
      "Ready",
      async () => ((await cluster.conditions(namespace, "pro")).Ready?.status === "True" ? true : undefined),
      60,
    );
    const ports = (await cluster.pods(namespace)).map(
      ({ metadata }) => metadata.annotations["mimo.dev/dist-port"],
    );
    expect(new Set(ports)).toEqual(new Set(["20000"]));
  }, 90_000);

  test("are rebuilt together when one is lost, and meet at another port", async () => {
    const namespace = await cluster.namespace("lost");
    await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "H100" });
    await cluster.becomesReady(namespace, "pro");
    const before = await cluster.pods(namespace);
    await callApi(cluster.controlPlane, `/api/v1/namespaces/${namespace}/pods/pro-0-1`, { method: "DELETE" });
    const after = await eventually("two new ranks are open", async () => {
      const pods = await cluster.pods(namespace);
      const old = new Set(before.map(({ metadata }) => metadata.uid));
      const done =
        pods.length === 2 &&
        pods.every((pod) => !old.has(pod.metadata.uid) && pod.spec.nodeName !== undefined);
      return done ? pods : undefined;
    });
    expect(after.map(({ metadata }) => metadata.annotations["mimo.dev/formation"])).toEqual(["2", "2"]);
    expect(after.map(({ metadata }) => metadata.annotations["mimo.dev/dist-port"])).toEqual([
      "20040",
      "20040",
    ]);
    await cluster.becomesReady(namespace, "pro");
  });
});

describe("scaling", () => {
  test("by spec.replicas and by the scale subresource makes and removes whole groups, and no id twice", async () => {
    const namespace = await cluster.namespace("scaling");
    await cluster.apply(namespace, "flash", { variant: "MiMo-V2-Flash", hardware: "H20" });
    await cluster.becomesReady(namespace, "flash");
    await cluster.apply(namespace, "flash", { variant: "MiMo-V2-Flash", hardware: "H20", replicas: 3 });
    await cluster.becomesReady(namespace, "flash");
    expect((await cluster.status(namespace, "flash")).groups?.map(({ id }) => id)).toEqual([0, 1, 2]);

    const scaled = await kubectl(cluster.controlPlane, [
      "scale",
      "-n",
      namespace,
      "mimodeployment/flash",
      "--replicas=1",
    ]);
    expect(scaled.stderr).toBe("");
    await cluster.becomesReady(namespace, "flash");
    await eventually("one pod is left", async () =>
      (await cluster.pods(namespace)).length === 1 ? true : undefined,
    );
    expect((await cluster.status(namespace, "flash")).groups?.map(({ id }) => id)).toEqual([0]);

    await kubectl(cluster.controlPlane, ["scale", "-n", namespace, "mimodeployment/flash", "--replicas=2"]);
    await cluster.becomesReady(namespace, "flash");
    expect((await cluster.status(namespace, "flash")).groups?.map(({ id }) => id)).toEqual([0, 3]);
  });

  test("to zero frees everything and is Ready", async () => {
    const namespace = await cluster.namespace("zero");
    await cluster.apply(namespace, "flash", { variant: "MiMo-V2-Flash", hardware: "H20", replicas: 0 });
    expect((await cluster.condition(namespace, "flash", "Ready", "True")).reason).toBe("ScaledToZero");
    expect(await cluster.pods(namespace)).toEqual([]);
  });
});

describe("deletion", () => {
  const childrenOf = (namespace: string): string[] => [
    `/apis/apps/v1/namespaces/${namespace}/statefulsets`,
    `/apis/apps/v1/namespaces/${namespace}/controllerrevisions`,
    `/api/v1/namespaces/${namespace}/services`,
    `/api/v1/namespaces/${namespace}/pods`,
    `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`,
    `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`,
  ];
  const serve = async (namespace: string): Promise<void> => {
    await cluster.namespace(namespace);
    await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "H200" });
    await cluster.becomesReady(namespace, "pro");
  };
  const remove = async (namespace: string, cascade: string): Promise<void> => {
    const args = ["delete", "-n", namespace, "mimo", "pro", `--cascade=${cascade}`];
    const deleted = await kubectl(cluster.controlPlane, args);
    expect(deleted.stderr).toBe("");
  };
  const isEmpty = (children: readonly string[]): Promise<true> =>
    eventually("all children are gone", async () => {
      const left = await Promise.all(children.map((path) => cluster.list(path)));
      return left.flat().length === 0 ? true : undefined;
    });
  const creations = async (namespace: string): Promise<{ made: number; refused: number }> => {
    const all = (await cluster.operatorWrites(namespace)).filter(({ verb }) => verb === "create");
    const refused = all.filter(({ code }) => code >= 300).length;
    return { made: all.length - refused, refused };
  };

  test.each(["background", "foreground"])(
    "%s leaves nothing behind, and nothing is made any more",
    async (cascade) => {
      const namespace = `deletion-${cascade}`;
      await serve(namespace);
      const children = childrenOf(namespace);
      for (const path of children) expect((await cluster.list(path)).length, path).toBeGreaterThan(0);
      const before = await creations(namespace);
      await remove(namespace, cascade);
      await isEmpty(children);
      expect(await cluster.exists(deploymentsPath(namespace, "pro"))).toBe(false);
      expect(await creations(namespace)).toEqual(before);
    },
  );

  test("that orphans keeps the group serving, and the same request takes it up again untouched", async () => {
    const namespace = "deletion-orphan";
    await serve(namespace);
    const before = await cluster.pods(namespace);
    await remove(namespace, "orphan");
    await eventually("the deployment is gone", async () =>
      (await cluster.exists(deploymentsPath(namespace, "pro"))) ? undefined : true,
    );
    await cluster.apply(namespace, "pro", { variant: "MiMo-V2.5-Pro", hardware: "H200" });
    await cluster.becomesReady(namespace, "pro");
    const uids = (pods: readonly PodShape[]): string[] => pods.map(({ metadata }) => metadata.uid).sort();
    expect(uids(await cluster.pods(namespace))).toEqual(uids(before));
    await remove(namespace, "background");
    await isEmpty(childrenOf(namespace));
  });

  test("of its namespace ends, nothing is made in it any more, and being refused is no reason to go on trying", async () => {
    const namespace = "deletion-namespace";
    await serve(namespace);
    const before = await creations(namespace);
    await callApi(cluster.controlPlane, `/api/v1/namespaces/${namespace}`, { method: "DELETE" });
    await eventually("the namespace is gone", async () =>
      (await cluster.exists(`/api/v1/namespaces/${namespace}`)) ? undefined : true,
    );
    const { made, refused } = await creations(namespace);
    expect(made).toBe(before.made);
    expect(refused).toBeLessThanOrEqual(childrenOf(namespace).length);
  });
});
