import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { namespaceQuotas } from "../../charts/quota.ts";
import { toYaml } from "../../charts/yaml.ts";
import { callApi } from "../controlplane/api.ts";
import { kubectl } from "../controlplane/kubectl.ts";
import { deploymentsPath, startCluster, type TestCluster } from "../e2e/cluster.ts";
import { eventually } from "../e2e/eventually.ts";
import { type RunningOperator, startOperator } from "../e2e/operator.ts";
import { refusedAttempts } from "./bypasses.ts";
import { limitedPlatform } from "./platform.ts";
import { createTenant, deployment, type Tenant } from "./tenant.ts";

let cluster: TestCluster;
let operator: RunningOperator;
let tenant: Tenant;

const setLimits = (limits: object): Promise<unknown> =>
  callApi(cluster.controlPlane, "/apis/mimo.dev/v1alpha1/mimoplatforms/default", {
    method: "PATCH",
    body: { spec: { limits } },
    contentType: "application/merge-patch+json",
  });

beforeAll(async () => {
  cluster = await startCluster();
  operator = await startOperator(cluster.controlPlane);
  await callApi(
    cluster.controlPlane,
    "/apis/mimo.dev/v1alpha1/mimoplatforms/default?fieldManager=platform-team&force=true",
    {
      method: "PATCH",
      body: {
        apiVersion: "mimo.dev/v1alpha1",
        kind: "MiMoPlatform",
        metadata: { name: "default" },
        spec: limitedPlatform,
      },
      contentType: "application/apply-patch+yaml",
    },
  );
  tenant = await createTenant(cluster.controlPlane, "team-a");
  await createTenant(cluster.controlPlane, "team-b");
  const quotas = toYaml(namespaceQuotas(limitedPlatform.limits?.gpusPerNamespace ?? 0, ["team-a"]));
  expect((await kubectl(cluster.controlPlane, ["apply", "-f", "-"], { input: quotas })).stderr).toBe("");
});
afterAll(async () => {
  await operator?.stop();
  await cluster?.stop();
});

describe("a tenant with the role edit", () => {
  afterEach(() => cluster.clear());

  test("serves a model within the limits, scales it, looks at it and removes it", async () => {
    await tenant.run(["apply", "-f", "-"], deployment("flash", { replicas: 1, profile: "Latency" }));
    await cluster.becomesReady("team-a", "flash");
    await tenant.run(["scale", "mimo", "flash", "--replicas=2"]);
    await cluster.becomesReady("team-a", "flash");
    expect(await tenant.run(["get", "mimo"])).toContain("Ready");
    expect(
      await tenant.run([
        "get",
        "mimoplatform",
        "default",
        "-o",
        "jsonpath={.spec.limits.groupsPerDeployment}",
      ]),
    ).toBe("2");
    await tenant.run(["delete", "mimo", "flash"]);
  });

  test("takes an image, a checkpoint and a folder from where the platform allows it", async () => {
    const allowed = [
      { image: { repository: "registry.example.com/models/sglang", tag: "v0.5.18" } },
      { model: { image: { reference: "registry.example.com/models/flash:1" } } },
      { model: { huggingFace: { repository: "XiaomiMiMo/MiMo-V2-Flash", revision: "main" } } },
      { model: { hostPath: { path: "/mnt/models/flash" } } },
      { scheduling: { tolerations: [{ key: "spot", operator: "Exists" }] } },
      { scheduling: { queue: "team-a" } },
      { podTemplate: { labels: { team: "a" }, annotations: { "example.com/note": "x" } } },
      { podTemplate: { patches: [{ op: "add", path: "/spec/hostAliases", value: "[]" }] } },
    ];
    for (const spec of allowed)
      await tenant.run(["create", "--dry-run=server", "-f", "-"], deployment("allowed", spec));
  });

  test("is told before any pod when the namespace has too few GPUs, and served when it has more", async () => {
    const setQuota = (gpus: number) =>
      callApi(cluster.controlPlane, "/api/v1/namespaces/team-a/resourcequotas/mimo-gpus", {
        method: "PATCH",
        body: { spec: { hard: { "requests.nvidia.com/gpu": gpus } } },
        contentType: "application/merge-patch+json",
      });
    await setQuota(8);
    await tenant.run(["create", "-f", "-"], deployment("flash", { replicas: 2 }));
    const { message } = await cluster.condition("team-a", "flash", "Stalled", "True", "QuotaExceeded");
    expect(message).toMatch(
      /^1 of the wanted serving groups would need 8 GPUs each; ResourceQuota mimo-gpus allows the namespace 8, of which \d are taken\. Raise/,
    );
    expect(await cluster.list("/apis/apps/v1/namespaces/team-a/statefulsets")).toHaveLength(1);
    await setQuota(32);
    await cluster.becomesReady("team-a", "flash");
  });

  test("gets the hardware that the labels of the namespace give, and no other tenant's", async () => {
    const researchers = await createTenant(cluster.controlPlane, "team-r", { team: "research" });
    const fleet = deployment("fleet", { variant: "MiMo-V2.5", hardware: "GB300", replicas: 0 });
    await researchers.run(["create", "--dry-run=server", "-f", "-"], fleet);
  });
});

describe("a tenant who wants more is refused and told why:", () => {
  beforeAll(async () => {
    await tenant.run(["create", "-f", "-"], deployment("mine", { replicas: 0 }));
  });
  afterAll(() => cluster.clear());

  test("at least 30 ways are tried", () => {
    expect(refusedAttempts.length).toBeGreaterThanOrEqual(30);
  });

  test.each(refusedAttempts)("$title", async ({ args, input, told }) => {
    const { code, stderr } = await tenant.kubectl(args, input);
    expect(stderr).toContain(told);
    expect(code).not.toBe(0);
    expect(stderr.trim().split(told)[1]?.trim().split("\n")).toHaveLength(1);
  });

  test("and nothing came of any of it", async () => {
    const stored = await cluster.get(deploymentsPath("team-a", "mine"));
    expect(stored.spec).toEqual({ variant: "MiMo-V2-Flash", hardware: "H200", replicas: 0 });
    expect(await cluster.list(deploymentsPath("team-a"))).toHaveLength(1);
  });
});

const patching = (op: string, path: string, value: unknown) => ({
  podTemplate: { patches: [{ op, path, value: JSON.stringify(value) }] },
});

describe("a tenant who gets past the API server does no harm:", () => {
  afterEach(() => cluster.clear());

  test.each([
    ["an argument that the plan owns", { server: { extraArgs: ["--model-path=/etc"] } }, "OptionOwned"],
    [
      "a variable that the plan owns",
      {
        server: { extraEnv: [{ name: "HF_HUB_OFFLINE", value: "0" }] },
        model: { hostPath: { path: "/mnt/models/flash" } },
      },
      "EnvironmentOwned",
    ],
    [
      "nodes of other hardware by label",
      { scheduling: { nodeSelector: { "nvidia.com/gpu.product": "NVIDIA-GB300" } } },
      "NodeSelectorConflict",
    ],
    [
      "a command of their own by a patch",
      patching("replace", "/spec/containers/0/command", ["sleep", "inf"]),
      "PatchOwned",
    ],
    [
      "a container before the server by a patch",
      patching("add", "/spec/containers/0", { name: "first", image: "evil.example.com/miner" }),
      "PatchOwned",
    ],
    [
      "GPUs beside the server's by a patch",
      patching("add", "/spec/initContainers", [
        { name: "a", resources: { limits: { "nvidia.com/gpu": 8 } } },
      ]),
      "PatchOwned",
    ],
  ])("%s is refused before any pod is made", async (_, spec, reason) => {
    await tenant.run(["create", "-f", "-"], deployment("sly", spec));
    await cluster.condition("team-a", "sly", "Accepted", "False", reason);
    expect(await cluster.pods("team-a")).toEqual([]);
  });

  test.each([
    ["that are invalid", [{ ip: "nowhere" }]],
    ["that can't be read", "nowhere"],
  ])("pods %s by a patch are told of, and those that serve go on", async (_, aliases) => {
    await tenant.run(["create", "-f", "-"], deployment("sly"));
    await cluster.becomesReady("team-a", "sly");
    const uids = async () => (await cluster.pods("team-a")).map(({ metadata }) => metadata.uid);
    const before = await uids();
    const spec = patching("add", "/spec/hostAliases", aliases);
    await tenant.run(["patch", "mimo", "sly", "--type=merge", "-p", JSON.stringify({ spec })]);
    const { message } = await cluster.condition("team-a", "sly", "Stalled", "True", "RejectedByServer");
    expect(message).toContain("hostAliases");
    expect(await uids()).toEqual(before);
    await tenant.run(["patch", "mimo", "sly", "--type=merge", "-p", '{"spec":{"podTemplate":null}}']);
    await cluster.becomesReady("team-a", "sly");
    expect(await uids()).toEqual(before);
  });

  test("a node of the control plane by label has no GPU: pods of it wait, and hold nothing", async () => {
    const nodeSelector = { "node-role.kubernetes.io/control-plane": "" };
    await tenant.run(["create", "-f", "-"], deployment("sly", { scheduling: { nodeSelector } }));
    await cluster.condition("team-a", "sly", "PlacementReady", "False");
    expect((await cluster.pods("team-a")).map(({ spec }) => spec.nodeName)).toEqual([undefined]);
  });

  test("what the operator made is made right again when a tenant changes it", async () => {
    await tenant.run(["create", "-f", "-"], deployment("flash"));
    await cluster.becomesReady("team-a", "flash");
    const set = "/apis/apps/v1/namespaces/team-a/statefulsets/flash-0";
    const spec = async () =>
      z.looseObject({ replicas: z.int(), template: z.unknown() }).parse((await cluster.get(set)).spec);
    const before = await spec();
    const volumes = [{ name: "host", hostPath: { path: "/" } }];
    await tenant.run(["scale", "statefulset", "flash-0", "--replicas=4"]);
    await tenant.run([
      "patch",
      "statefulset",
      "flash-0",
      "-p",
      JSON.stringify({ spec: { template: { spec: { volumes } } } }),
    ]);
    await eventually("the StatefulSet is as it was", async () => {
      expect(await spec()).toEqual(before);
      return true;
    });
    await tenant.run(["delete", "poddisruptionbudget,networkpolicy,service", "--all"]);
    await eventually("what was deleted is there again", async () => {
      const kinds = ["poddisruptionbudget", "networkpolicy", "service"];
      const found = await Promise.all(kinds.map((kind) => tenant.run(["get", kind, "-o", "name"])));
      return found.every((names) => names.includes("/flash")) ? true : undefined;
    });
  });
});

describe("a tighter platform", () => {
  afterEach(() => cluster.clear());

  test("leaves what is there alone, and lets it shrink, change otherwise, and go", async () => {
    await tenant.run(
      ["create", "-f", "-"],
      deployment("flash", { replicas: 2 }, { finalizers: ["example.com/hold"] }),
    );
    await setLimits({ variants: ["MiMo-V2.5"], groupsPerDeployment: 1 });
    try {
      await eventually("the API server holds to the new limits", async () =>
        (await tenant.kubectl(["create", "--dry-run=server", "-f", "-"], deployment("new"))).stderr.includes(
          "spec.variant",
        )
          ? true
          : undefined,
      );
      await tenant.run(["label", "mimo", "flash", "team=a"]);
      await tenant.run(["patch", "mimo", "flash", "--type=merge", "-p", '{"spec":{"suspend":true}}']);
      expect((await tenant.kubectl(["scale", "mimo", "flash", "--replicas=3"])).stderr).toContain(
        "spec.replicas: 3",
      );
      await tenant.run(["scale", "mimo", "flash", "--replicas=1"]);
      await tenant.run(["delete", "mimo", "flash", "--wait=false"]);
      await tenant.run(["patch", "mimo", "flash", "--type=merge", "-p", '{"metadata":{"finalizers":null}}']);
      await eventually("it is gone", async () =>
        (await cluster.exists(deploymentsPath("team-a", "flash"))) ? undefined : true,
      );
    } finally {
      await setLimits({ variants: ["MiMo-V2-Flash", "MiMo-V2.5"], groupsPerDeployment: 2 });
    }
  });

  test("that is missing lets nothing new in", async () => {
    const path = "/apis/mimo.dev/v1alpha1/mimoplatforms/default";
    const { spec } = await cluster.get(path);
    await callApi(cluster.controlPlane, path, { method: "DELETE" });
    try {
      await eventually("deployments are refused", async () =>
        (await tenant.kubectl(["create", "--dry-run=server", "-f", "-"], deployment("new"))).stderr.includes(
          "no params found for policy binding with `Deny` parameterNotFoundAction",
        )
          ? true
          : undefined,
      );
    } finally {
      await callApi(cluster.controlPlane, "/apis/mimo.dev/v1alpha1/mimoplatforms", {
        method: "POST",
        body: { apiVersion: "mimo.dev/v1alpha1", kind: "MiMoPlatform", metadata: { name: "default" }, spec },
      });
    }
  });
});
