import { describe, expect, it } from "vitest";
import type { PlatformSpec } from "../../../crds/platform.ts";
import { accepted, optionsOf, refused } from "./requests.ts";

const flash = { variant: "MiMo-V2-Flash", hardware: "H200" };
const pro = { variant: "MiMo-V2.5-Pro", hardware: "H200" };
const claimStore: PlatformSpec = { modelStore: { persistentVolumeClaim: { claimName: "models" } } };
const folderStore: PlatformSpec = { modelStore: { hostPath: { path: "/mnt/models" } } };

describe("without a model source", () => {
  it("every pod downloads, with room on disk, time and a warning", () => {
    const plan = accepted(pro);
    expect(plan.model).toMatchObject({ source: "Ephemeral", reference: "", mountPath: "/models" });
    expect(optionsOf(plan.command)).toMatchObject({
      "--model-path": "XiaomiMiMo/MiMo-V2.5-Pro",
      "--download-dir": "/models",
    });
    expect(plan.resources.ephemeralStorageGib).toBeGreaterThan(plan.model.checkpointGib);
    expect(plan.startupSeconds).toBeGreaterThan(2 * 3600);
    expect(plan.env).not.toHaveProperty("HF_HUB_OFFLINE");
    expect(plan.warnings.join("\n")).toContain("downloads 963 GiB from Hugging Face at every start");
  });

  it("takes repository, revision and token from the request", () => {
    const plan = accepted({
      ...flash,
      model: {
        huggingFace: { repository: "team/tuned", revision: "v2", tokenSecret: { name: "hub", key: "token" } },
      },
    });
    expect(optionsOf(plan.command)).toMatchObject({ "--model-path": "team/tuned", "--revision": "v2" });
    expect(plan.secretEnv).toEqual([{ name: "HF_TOKEN", secret: "hub", key: "token" }]);
    expect(plan.warnings.join("\n")).toContain("is not XiaomiMiMo/MiMo-V2-Flash");
  });

  it("warns that downloads of several nodes may drift apart", () => {
    expect(accepted(pro).warnings.join("\n")).toContain("8 minutes");
    expect(accepted(flash).warnings.join("\n")).not.toContain("8 minutes");
    expect(accepted(pro, claimStore).warnings.join("\n")).not.toContain("8 minutes");
  });
});

describe("a mounted checkpoint", () => {
  const cases = [
    {
      what: "of a claim",
      model: { persistentVolumeClaim: { claimName: "weights", path: "flash/v1" } },
      plan: { source: "PersistentVolumeClaim", reference: "weights" },
      path: "/models/flash/v1",
    },
    {
      what: "of an image",
      model: { image: { reference: "registry.example.com/models/flash:1" } },
      plan: { source: "Image", reference: "registry.example.com/models/flash:1" },
      path: "/models",
    },
    {
      what: "of the nodes",
      model: { hostPath: { path: "/mnt/models/flash" } },
      plan: { source: "HostPath", reference: "/mnt/models/flash" },
      path: "/models",
    },
  ];
  it.each(cases)("$what is read from its mount, offline", ({ model, plan: expected, path }) => {
    const plan = accepted({ ...flash, model }, { allowedHostPaths: ["/mnt/models"] });
    expect(plan.model).toMatchObject({ ...expected, mountPath: "/models" });
    expect(optionsOf(plan.command)).toMatchObject({ "--model-path": path });
    expect(optionsOf(plan.command)).not.toHaveProperty("--download-dir");
    expect(plan.env).toMatchObject({ HF_HUB_OFFLINE: "1" });
    expect(plan.resources).not.toHaveProperty("ephemeralStorageGib");
  });

  it("of the platform's store lies below organisation and model", () => {
    expect(optionsOf(accepted(flash, folderStore).command)["--model-path"]).toBe(
      "/models/XiaomiMiMo/MiMo-V2-Flash",
    );
    expect(accepted(flash, folderStore).model).toMatchObject({
      source: "HostPath",
      reference: "/mnt/models",
    });
    const asked = { ...flash, model: { huggingFace: {} } };
    expect(accepted(asked, folderStore).model.source).toBe("Ephemeral");
  });
});

describe("the weight loader", () => {
  const loader = (spec: object, platform?: PlatformSpec) => {
    const options = optionsOf(accepted(spec, platform).command);
    return [options["--weight-loader-prefetch-checkpoints"], options["--model-loader-extra-config"]];
  };
  const threads = '{"enable_multithread_load":true,"num_threads":64}';

  it("prefetches on a shared file system and drops the threads", () => {
    expect(loader({ ...pro, runtime: "v0.5.18" }, claimStore)).toEqual([true, undefined]);
    const shared = { modelStore: { hostPath: { path: "/mnt/nfs" }, shared: true } };
    expect(loader({ ...pro, runtime: "v0.5.23" }, shared)).toEqual([true, undefined]);
    expect(
      loader({ ...pro, runtime: "v0.5.18", model: { persistentVolumeClaim: { claimName: "w" } } }),
    ).toEqual([true, undefined]);
  });

  it("is single-threaded on a shared file system where prefetching isn't proven", () => {
    expect(loader(pro, claimStore)).toEqual([undefined, '{"enable_multithread_load":false}']);
    expect(loader(flash, claimStore)).toEqual([undefined, undefined]);
  });

  it("keeps the recipe's threads on a local disk", () => {
    expect(loader(pro)).toEqual([undefined, threads]);
    expect(loader(pro, folderStore)).toEqual([undefined, threads]);
    expect(loader({ variant: "MiMo-V2.5", hardware: "H200" }, folderStore)).toEqual([undefined, undefined]);
    const local = { modelStore: { persistentVolumeClaim: { claimName: "local" }, shared: false } };
    expect(loader({ ...pro, runtime: "v0.5.18" }, local)).toEqual([undefined, threads]);
  });
});

describe("the startup budget", () => {
  const budget = (spec: object, platform?: PlatformSpec) => accepted(spec, platform).startupSeconds;

  it("follows the store's rate", () => {
    const at = (readGibPerSecond: number) =>
      budget(pro, { modelStore: { persistentVolumeClaim: { claimName: "m" }, readGibPerSecond } });
    expect(at(10)).toBeLessThan(at(1));
    expect(at(1)).toBeGreaterThan(962);
  });

  it("counts every pass of day0's draft runners over MiMo-V2.5-Pro", () => {
    const withoutDrafts = { ...pro, features: { speculativeDecoding: "Disabled" } };
    const compile = 2400;
    expect(budget(pro, claimStore) - compile).toBeGreaterThan(
      3.5 * (budget(withoutDrafts, claimStore) - compile),
    );
    expect(budget({ ...pro, runtime: "v0.5.18" }, claimStore)).toBe(budget(withoutDrafts, claimStore));
  });

  it("counts a second pass where the checkpoint doesn't fit the pod's memory", () => {
    const small = { ...pro, runtime: "v0.5.18", resources: { memory: "512Gi" } };
    expect(budget(small, claimStore)).toBeGreaterThan(budget({ ...pro, runtime: "v0.5.18" }, claimStore));
  });
});

describe("a folder of the nodes", () => {
  const at = (path: string) => ({ ...flash, model: { hostPath: { path } } });
  const platform = { allowedHostPaths: ["/mnt/models/", "/data"] };

  it.each(["/mnt/models", "/mnt/models/flash", "/data/a/b", "/data/"])(
    "%s is allowed below what the platform names",
    (path) => {
      accepted(at(path), platform);
    },
  );

  it.each(["/", "/mnt", "/mnt/models-private", "/database"])("%s is refused", (path) => {
    const [refusal] = refused(at(path), platform);
    expect(refusal).toMatchObject({ code: "HostPathNotAllowed", field: "spec.model.hostPath.path" });
  });

  it("is refused where the platform names none, or is none", () => {
    for (const none of [undefined, {}]) {
      expect(refused(at("/mnt/models"), none)[0]?.message).toContain("none are allowed");
    }
  });
});

describe("compile caches", () => {
  it("lie on the platform's volume, each by its own variable", () => {
    const plan = accepted(flash, { cacheVolume: { persistentVolumeClaim: { claimName: "kernels" } } });
    expect(plan.cache).toEqual({
      source: "PersistentVolumeClaim",
      reference: "kernels",
      mountPath: "/cache",
    });
    expect(plan.env).toMatchObject({
      SGLANG_DG_CACHE_DIR: "/cache/day0/deep_gemm",
      TRITON_CACHE_DIR: "/cache/day0/triton",
    });
    expect(plan.warnings.join("\n")).not.toContain("compiled again");
  });

  it("are lost without one, which is said and budgeted", () => {
    const plan = accepted(flash);
    expect(plan.cache.source).toBe("EmptyDir");
    expect(plan.warnings.join("\n")).toContain("compiled again at every start");
    expect(plan.startupSeconds).toBeGreaterThan(
      accepted(flash, { cacheVolume: { hostPath: { path: "/var/cache/mimo" } } }).startupSeconds,
    );
  });
});
