/** Test data in Argo CD's own form, from the states. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { stringify } from "yaml";
import { argocdActions, argocdFolder } from "../../charts/gitops/argocd.ts";
import { annotations } from "../../charts/names.ts";
import { toYaml } from "../../charts/yaml.ts";
import { states, untouched } from "./states.ts";

/** In test data, the time at which an action ran. */
export const now = "2026-11-22T12:00:00Z";

/** What an action makes of a state's annotations. `now` stands for the time. */
const actions: readonly (readonly [action: string, state: string, annotations: Record<string, string>])[] = [
  ["suspend", "ready", { [annotations.suspended]: "true" }],
  ["suspend", "restarting", { [annotations.restart]: "1", [annotations.suspended]: "true" }],
  ["resume", "suspending", { [annotations.suspended]: "false" }],
  ["resume", "rolled-back-on-wish", { [annotations.rollback]: "" }],
  ["restart", "ready", { [annotations.restart]: now }],
  ["restart", "restarting", { [annotations.restart]: now }],
  ["rollback", "rollout-stalled", { [annotations.rollback]: "revision2:revision1" }],
];
const enabled: Readonly<Record<string, readonly string[]>> = {
  ready: ["suspend", "restart"],
  suspended: [],
  suspending: ["resume"],
  "rollout-stalled": ["suspend", "restart", "rollback"],
  "rolled-back-on-wish": ["suspend", "resume", "restart"],
  unseen: ["suspend", "restart"],
  "without-status": ["suspend", "restart"],
};
const icons = { suspend: "pause", resume: "play", restart: "redo", rollback: "undo" };

/** A script's folder, in Argo CD's layout. */
export const scripts = resolve(import.meta.dirname, "../../charts/gitops", argocdFolder);

/** Path below `scripts` → content. */
export function testData(): Record<string, string> {
  const tests = states.map((state) => ({
    healthStatus: { status: state.argocd, message: state.message },
    inputPath: `testdata/${state.name}.yaml`,
  }));
  const actionTests = actions.map(([action, state]) => ({
    action,
    inputPath: `../testdata/${state}.yaml`,
    expectedOutputPath: `testdata/${state}-${action}.yaml`,
  }));
  const discoveryTests = Object.entries(enabled).map(([state, names]) => ({
    inputPath: `../testdata/${state}.yaml`,
    result: argocdActions.map((action) => ({
      name: action,
      disabled: !names.includes(action),
      iconClass: `fa fa-fw fa-${icons[action]}`,
    })),
  }));
  const outputs = actions.map(([action, state, annotations]) => {
    const input = states.find((each) => each.name === state)?.object ?? untouched();
    const output = { ...input, metadata: { ...input.metadata, annotations } };
    return [`actions/testdata/${state}-${action}.yaml`, toYaml([output])] as const;
  });
  const objects = states.map(({ name, object }) => [`testdata/${name}.yaml`, toYaml([object])] as const);
  return {
    "health_test.yaml": stringify({ tests }, { lineWidth: 0 }),
    "actions/action_test.yaml": stringify({ discoveryTests, actionTests }, { lineWidth: 0 }),
    ...Object.fromEntries([...objects, ...outputs]),
  };
}

if (import.meta.main) {
  for (const folder of ["testdata", "actions/testdata"].map((path) => join(scripts, path))) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
  }
  for (const [path, content] of Object.entries(testData())) await writeFile(join(scripts, path), content);
}
