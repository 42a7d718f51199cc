/** What an earlier version left in a cluster, put back as it was stored: names, UIDs and statuses are those of its time. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";

const recorded = z.array(
  z.object({
    key: z.string(),
    object: z.looseObject({
      kind: z.string(),
      metadata: z.looseObject({ name: z.string(), uid: z.string() }),
    }),
  }),
);
export type Recorded = z.output<typeof recorded>;

export interface FormerRelease {
  /** What its `mimo install` printed. */
  readonly installation: string;
  /** The rest of what was stored then, with etcd's keys. */
  readonly objects: Recorded;
}

/** @param version a folder of releases/, written by record.ts */
export async function readFormerRelease(version: string): Promise<FormerRelease> {
  const read = (file: string) => readFile(join(import.meta.dirname, "releases", version, file), "utf8");
  const [installation, objects] = await Promise.all([read("install.yaml"), read("objects.yaml")]);
  return { installation, objects: recorded.parse(parse(objects)) };
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** Writes objects where the API server reads them. Through it they would get UIDs that their owners don't know. */
export async function restore(etcd: string, objects: Recorded): Promise<void> {
  for (const { key, object } of objects) {
    const body = JSON.stringify({ key: base64(key), value: base64(JSON.stringify(object)) });
    const answer = await fetch(`${etcd}/v3/kv/put`, { method: "POST", body });
    if (!answer.ok) throw new Error(`etcd does not take ${key}: ${answer.status} ${await answer.text()}`);
  }
}
