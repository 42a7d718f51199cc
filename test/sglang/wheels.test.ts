import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fetchWheel } from "./wheels.ts";

let cache: string;

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "mimo-sglang-"));
  vi.stubEnv("XDG_CACHE_HOME", cache);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true });
});

test("a machine without Python is told what to install", async () => {
  vi.stubEnv("PATH", cache);
  await expect(fetchWheel("0.5.7")).rejects.toThrow(/needs Python 3\.11 or newer with pip: install it/);
});

test("an unreachable package index is named as the cause, and nothing half-done stays in the cache", async () => {
  vi.stubEnv("PIP_INDEX_URL", "http://127.0.0.1:9/simple");
  vi.stubEnv("PIP_RETRIES", "0");
  await expect(fetchWheel("0.5.7")).rejects.toThrow(
    /couldn't fetch sglang==0\.5\.7\. Check that pip reaches/,
  );
  expect(await readdir(join(cache, "mimo-operator", "sglang"))).toEqual([]);
});
