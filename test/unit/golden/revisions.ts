/** The revision of every plan that a request can lead to: what tells whether a change of the code reaches running groups. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freeze } from "../../../charts/revision.ts";
import { hardwareKinds, profiles, runtimes, variants } from "../../../crds/names.ts";
import { planDeployment } from "../../../synth/plan.ts";

export const goldenFile = join(import.meta.dirname, "revisions.json");

/** By "variant hardware runtime profile". A combination that is refused is missing. */
export function currentRevisions(): Record<string, string> {
  const revisions: Record<string, string> = {};
  for (const variant of variants)
    for (const hardware of hardwareKinds)
      for (const runtime of runtimes)
        for (const profile of profiles) {
          const spec = { variant, hardware, runtime, profile, replicas: 1 };
          const result = planDeployment({ name: "golden", namespace: "golden", spec }, undefined);
          if (!result.accepted) continue;
          revisions[`${variant} ${hardware} ${runtime} ${profile}`] = freeze(result.plan).revision;
        }
  return revisions;
}

if (import.meta.main) await writeFile(goldenFile, `${JSON.stringify(currentRevisions(), null, 2)}\n`);
