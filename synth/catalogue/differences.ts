/** Where a published command is wrong or leaves out what a cluster needs. The docs are made from it. */
export interface Difference {
  readonly setting: string;
  readonly published: string;
  readonly ours: string;
  readonly reason: string;
  /** Runtimes whose published commands differ: the launch pages (day0) or the newest generator (release). */
  readonly era: "day0" | "release" | "both";
}

/** What every command of ours has and no published one, or not all of them. */
export const commonDifferences: readonly Difference[] = [
  {
    setting: "image",
    published: "lmsysorg/sglang:latest on the newest page, nightly tags before",
    ours: "the version that spec.runtime names",
    reason:
      "latest moves, nightly tags are deleted after two weeks, and no set of options is valid on all versions",
    era: "release",
  },
  {
    setting: "--served-model-name",
    published: "absent",
    ours: "the variant",
    reason: "clients would otherwise have to name the folder that the checkpoint lies in",
    era: "both",
  },
  {
    setting: "option names",
    published: "--tp, --dp, --speculative-algo",
    ours: "--tp-size, --dp-size (--attn-dp-size from 0.5.20), --speculative-algorithm",
    reason: "abbreviations may turn ambiguous in the next version, as --cuda-graph-max-bs did in 0.5.20",
    era: "both",
  },
  {
    setting: "--host",
    published: "absent for MiMo-V2-Flash",
    ours: "0.0.0.0",
    reason: "the default is loopback, where neither probes nor Services reach",
    era: "both",
  },
  {
    setting: "--context-length",
    published: "absent",
    ours: "what the plan resolved",
    reason: "the server then refuses longer requests in words instead of truncating to its pool",
    era: "both",
  },
  {
    setting: "--download-dir",
    published: "absent",
    ours: "a volume of the checkpoint's size, where the pod downloads it",
    reason:
      "the default folder lies in the container's own file system, beside kernels that images keep there",
    era: "both",
  },
  {
    setting: "FLASHINFER_WORKSPACE_BASE, SGLANG_DG_CACHE_DIR, TORCHINDUCTOR_CACHE_DIR, TRITON_CACHE_DIR",
    published: "absent",
    ours: "folders of the cache volume, by runtime",
    reason: "kernels compiled by one start are there for the next, where MiMoPlatform names a cacheVolume",
    era: "both",
  },
  {
    setting: "--enable-metrics",
    published: "absent",
    ours: "present",
    reason: "autoscaling and alerts read them",
    era: "both",
  },
  {
    setting: "--dist-timeout",
    published: "absent (600 s)",
    ours: "the startup budget, which follows the bytes to load",
    reason:
      "ranks wait for each other at the rendezvous and in the first collectives, for the slowest to pull its image, load and compile; the startup probe alone says when that is too long",
    era: "both",
  },
  {
    setting: "--watchdog-timeout, TORCH_NCCL_HEARTBEAT_TIMEOUT_SEC",
    published: "absent (300 s; minutes)",
    ours: "4800 s",
    reason:
      "the first forward passes compile kernels, for which 2400 s are allowed, times two; the Pro model card sets the watchdog to 3600",
    era: "both",
  },
  {
    setting: "--dist-init-addr",
    published: "port 20000",
    ours: "a port of the formation",
    reason: "a rank cut off from its group can't join the next one",
    era: "both",
  },
  {
    setting: "--model-loader-extra-config",
    published: "64 threads",
    ours: "single-threaded with --weight-loader-prefetch-checkpoints on a shared file system; as published on a local disk",
    reason:
      "many threads on a network file system can deadlock and are slower (sgl-project/sglang issues 29268, 37806)",
    era: "both",
  },
  {
    setting: "SGLANG_ENABLE_SPEC_V2",
    published: "1 with EAGLE",
    ours: "the same on day0, absent on releases",
    reason: "on by default from 0.5.11, gone from 0.5.14",
    era: "day0",
  },
];
