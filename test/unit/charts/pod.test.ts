import type { V1Container, V1PodSpec } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { podTemplate } from "../../../charts/pod.ts";
import type { ServingPlan } from "../../../synth/serving-plan.ts";
import { servingPlan, twoNodePlan } from "./plans.ts";

const podOf = (plan: ServingPlan): V1PodSpec => podTemplate(plan, "r1").spec;

function serverOf(plan: ServingPlan): V1Container {
  const [server] = podOf(plan).containers;
  if (server === undefined) throw new Error("the pod has no container");
  return server;
}

const { devices: _, ...withoutDevices } = twoNodePlan().resources;

describe("the server", () => {
  test("is process 1 and gets signals itself: its argv is the plan's, without a shell", () => {
    const server = serverOf(twoNodePlan());
    expect(server.command).toEqual(twoNodePlan().command);
    expect(server.args).toBeUndefined();
  });

  test("learns its rank, where rank 0 is and the formation's port before anything refers to them", () => {
    const env = serverOf(twoNodePlan({ clusterDomain: "corp.local" })).env ?? [];
    const position = (name: string) => env.findIndex((variable) => variable.name === name);
    const sourceOf = (name: string) => env[position(name)]?.valueFrom?.fieldRef?.fieldPath;

    expect(sourceOf("NODE_RANK")).toBe("metadata.labels['apps.kubernetes.io/pod-index']");
    expect(sourceOf("DIST_PORT")).toBe("metadata.annotations['mimo.dev/dist-port']");
    expect(env[position("RANK0_HOST")]?.value).toBe("pro-$(GROUP_ID)-0.pro-ranks.team-a.svc.corp.local");
    expect(sourceOf("GROUP_ID")).toBe("metadata.labels['mimo.dev/group']");
    expect(position("GROUP_ID")).toBeLessThan(position("RANK0_HOST"));
  });

  test("on one node has nobody to meet", () => {
    expect(serverOf(servingPlan()).env?.map(({ name }) => name)).toEqual(["SGLANG_ENABLE_SPEC_V2"]);
  });

  test("gets Secrets by reference, resolved by the kubelet", () => {
    const env = serverOf(
      servingPlan({ secretEnv: [{ name: "HF_TOKEN", secret: "hugging-face", key: "token" }] }),
    ).env;
    expect(env).toContainEqual({
      name: "HF_TOKEN",
      valueFrom: { secretKeyRef: { name: "hugging-face", key: "token" } },
    });
  });

  test("is given the plan's GPUs and memory, and CPUs without a limit to be throttled at", () => {
    expect(serverOf(servingPlan()).resources).toEqual({
      requests: { "nvidia.com/gpu": "8", cpu: "96", memory: "512Gi" },
      limits: { "nvidia.com/gpu": "8", memory: "512Gi" },
    });
  });

  test("reserves disk for a checkpoint that is downloaded", () => {
    const resources = { ...servingPlan().resources, ephemeralStorageGib: 350 };
    expect(serverOf(servingPlan({ resources })).resources?.requests).toMatchObject({
      "ephemeral-storage": "350Gi",
    });
  });
});

describe("rights", () => {
  test("without RDMA no capability is left", () => {
    const plan = twoNodePlan({ resources: withoutDevices });
    expect(serverOf(plan).securityContext).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
    });
    expect(serverOf(plan).resources?.limits).not.toHaveProperty("rdma/ib");
  });

  test("RDMA brings its resource and the right to lock memory, and nothing else", () => {
    const server = serverOf(twoNodePlan());
    expect(server.securityContext?.capabilities).toEqual({ drop: ["ALL"], add: ["IPC_LOCK"] });
    expect(server.resources?.limits).toMatchObject({ "rdma/ib": "1" });
    expect(server.securityContext?.privileged).toBeUndefined();
  });

  test("fabric devices of several names, and hugepages, are asked for together", () => {
    const devices = { "vpc.amazonaws.com/efa": "16", "hugepages-2Mi": "5120Mi" };
    const { resources } = serverOf(twoNodePlan({ resources: { ...twoNodePlan().resources, devices } }));
    expect(resources?.requests).toMatchObject({ ...devices, "nvidia.com/gpu": "8" });
    expect(resources?.limits).toMatchObject(devices);
  });

  test("a user of the platform's runs the server, and may write to a claim that is root's; else it is the image's own", () => {
    const image = { ...servingPlan().image, runAsUser: 1000 };
    expect(podOf(servingPlan({ image })).securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: 1000,
      fsGroup: 1000,
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(podOf(servingPlan()).securityContext).toEqual({ seccompProfile: { type: "RuntimeDefault" } });
  });

  test("in the node's network a pod still asks the cluster's DNS, and holds its port on the node", () => {
    const pod = podOf(twoNodePlan({ hostPort: 19_000 }));
    expect(pod).toMatchObject({ hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" });
    expect(pod.containers[0]?.ports).toEqual([
      { name: "http", containerPort: 19_000, hostPort: 19_000, protocol: "TCP" },
    ]);
    expect(podOf(twoNodePlan())).not.toHaveProperty("hostNetwork");
    expect(podOf(twoNodePlan()).containers[0]?.ports?.[0]).not.toHaveProperty("hostPort");
  });

  test("a pod can't reach the API server and doesn't inherit the namespace's Services as variables", () => {
    expect(podOf(servingPlan())).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { seccompProfile: { type: "RuntimeDefault" } },
    });
  });
});

describe("probes", () => {
  test("the startup budget covers the plan's, rounded up", () => {
    const { startupProbe } = serverOf(servingPlan({ startupSeconds: 7_201 }));
    expect((startupProbe?.failureThreshold ?? 0) * (startupProbe?.periodSeconds ?? 0)).toBe(7_210);
  });

  test("a health check may run its whole generation, which takes up to 20 s", () => {
    const { startupProbe, readinessProbe, livenessProbe } = serverOf(servingPlan());
    for (const probe of [startupProbe, readinessProbe, livenessProbe]) {
      expect(probe?.httpGet).toMatchObject({ path: "/health", port: "http" });
      expect(probe?.timeoutSeconds).toBeGreaterThan(21);
    }
  });

  test("a server that doesn't answer for ten minutes, as in a long prefill, isn't restarted", () => {
    const { livenessProbe } = serverOf(servingPlan());
    const tolerated = ((livenessProbe?.failureThreshold ?? 0) - 1) * (livenessProbe?.periodSeconds ?? 0);
    expect(tolerated).toBeGreaterThanOrEqual(600);
  });

  test("a server that failed its probe isn't waited for as one that drains", () => {
    const { startupProbe, livenessProbe } = serverOf(servingPlan());
    const drain = podOf(servingPlan()).terminationGracePeriodSeconds ?? 0;
    expect(startupProbe?.terminationGracePeriodSeconds).toBeLessThan(drain);
    expect(livenessProbe?.terminationGracePeriodSeconds).toBeLessThan(drain);
  });
});

describe("stopping", () => {
  test("endpoints are withdrawn before the server is told, and most of the grace is left for draining", () => {
    const sleep = serverOf(servingPlan()).lifecycle?.preStop?.sleep?.seconds ?? 0;
    expect(sleep).toBeGreaterThan(0);
    expect(podOf(servingPlan()).terminationGracePeriodSeconds).toBeGreaterThan(sleep * 10);
  });

  test("the last words of a crash are kept in the status", () => {
    expect(serverOf(servingPlan()).terminationMessagePolicy).toBe("FallbackToLogsOnError");
  });
});

describe("formation", () => {
  test("ranks of a group over several nodes wait at the gate", () => {
    expect(podOf(twoNodePlan()).schedulingGates).toEqual([{ name: "mimo.dev/formation" }]);
  });

  test("a group on one node waits for nobody", () => {
    expect(podOf(servingPlan()).schedulingGates).toBeUndefined();
  });
});

describe("volumes", () => {
  const volumeOf = (plan: ServingPlan, name: string) =>
    podOf(plan).volumes?.find((volume) => volume.name === name);
  const mountOf = (plan: ServingPlan, name: string) =>
    serverOf(plan).volumeMounts?.find((mount) => mount.name === name);
  const model = (source: ServingPlan["model"]["source"], reference: string) =>
    servingPlan({
      model: { source, reference, mountPath: "/models", checkpointGib: 300 },
      resources: { ...servingPlan().resources, ephemeralStorageGib: 350 },
    });

  test("/dev/shm is memory with a limit that the pod's memory holds", () => {
    expect(volumeOf(servingPlan(), "shared-memory")).toEqual({
      name: "shared-memory",
      emptyDir: { medium: "Memory", sizeLimit: "64Gi" },
    });
    expect(mountOf(servingPlan(), "shared-memory")?.mountPath).toBe("/dev/shm");
  });

  test.each([
    ["PersistentVolumeClaim", "models", { persistentVolumeClaim: { claimName: "models", readOnly: true } }],
    ["HostPath", "/mnt/models", { hostPath: { path: "/mnt/models", type: "Directory" } }],
    [
      "Image",
      "registry.example.com/m:1",
      { image: { reference: "registry.example.com/m:1", pullPolicy: "IfNotPresent" } },
    ],
  ] as const)("a checkpoint from %s can't be written to", (source, reference, volume) => {
    expect(volumeOf(model(source, reference), "model")).toEqual({ name: "model", ...volume });
    expect(mountOf(model(source, reference), "model")).toMatchObject({
      mountPath: "/models",
      readOnly: true,
    });
  });

  test("a checkpoint that is downloaded has a bounded folder that can be written to", () => {
    expect(volumeOf(model("Ephemeral", ""), "model")).toEqual({
      name: "model",
      emptyDir: { sizeLimit: "350Gi" },
    });
    expect(mountOf(model("Ephemeral", ""), "model")?.readOnly).toBeUndefined();
  });

  test.each([
    ["EmptyDir", "", { emptyDir: {} }],
    ["PersistentVolumeClaim", "caches", { persistentVolumeClaim: { claimName: "caches" } }],
    ["HostPath", "/mnt/cache", { hostPath: { path: "/mnt/cache", type: "DirectoryOrCreate" } }],
  ] as const)("compile caches are kept in %s", (source, reference, volume) => {
    const plan = servingPlan({ cache: { source, reference, mountPath: "/cache" } });
    expect(volumeOf(plan, "cache")).toEqual({ name: "cache", ...volume });
    expect(mountOf(plan, "cache")).toEqual({ name: "cache", mountPath: "/cache" });
  });

  test("every mount has its volume", () => {
    const mounted = serverOf(servingPlan()).volumeMounts?.map(({ name }) => name);
    expect(mounted).toEqual(podOf(servingPlan()).volumes?.map(({ name }) => name));
  });
});

describe("placement", () => {
  test("is the plan's, and what the plan leaves open is left open", () => {
    const placement = {
      nodeSelector: { "nvidia.com/gpu.product": "NVIDIA-GB300", "kubernetes.io/arch": "arm64" },
      tolerations: [{ key: "kubernetes.io/arch", operator: "Equal" as const, value: "arm64" }],
      priorityClassName: "models",
      schedulerName: "gpu-scheduler",
      runtimeClassName: "nvidia",
    };
    expect(podOf(servingPlan({ placement }))).toMatchObject(placement);
    expect(podOf(servingPlan())).not.toHaveProperty("runtimeClassName");
    expect(podOf(servingPlan())).not.toHaveProperty("schedulerName");
    expect(podOf(servingPlan())).not.toHaveProperty("priorityClassName");
  });

  test("images are pulled with the plan's Secrets", () => {
    const image = { ...servingPlan().image, pullSecrets: ["mirror"] };
    expect(podOf(servingPlan({ image })).imagePullSecrets).toEqual([{ name: "mirror" }]);
  });
});

describe("metadata", () => {
  test("carries the user's labels, which can't displace those that Services select by", () => {
    const { labels } = podTemplate(
      servingPlan({ podLabels: { team: "a", "mimo.dev/deployment": "other", "mimo.dev/revision": "r0" } }),
      "r1",
    ).metadata;
    expect(labels).toMatchObject({ team: "a", "mimo.dev/deployment": "flash", "mimo.dev/revision": "r1" });
  });

  test("carries the user's annotations", () => {
    const { annotations } = podTemplate(
      servingPlan({ podAnnotations: { "example.com/note": "x" } }),
      "r1",
    ).metadata;
    expect(annotations).toEqual({ "example.com/note": "x" });
  });
});
