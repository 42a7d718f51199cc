import { describe, expect, test } from "vitest";
import { annotations, schedulingGate } from "../../../charts/names.ts";
import { decide } from "../../../operator/deployment/decide.ts";
import { formationRecord } from "../../../operator/deployment/formation.ts";
import { type Group, serves } from "../../../operator/deployment/groups.ts";
import type { Observed } from "../../../operator/deployment/observed.ts";
import { cleanRecovery, recoveryRecord } from "../../../operator/deployment/recovery.ts";
import { restartRecord } from "../../../operator/deployment/restart.ts";
import type { Step } from "../../../operator/deployment/steps.ts";
import { pod } from "./fixtures.ts";
import { groupOn, observed, revisionOf, stored } from "./world.ts";

const oneNode = { variant: "MiMo-V2-Flash", hardware: "H200", replicas: 3 };
const twoNodes = { variant: "MiMo-V2.5-Pro", hardware: "GB300", replicas: 3 };
const parse = (text: string | undefined): unknown => (text === undefined ? undefined : JSON.parse(text));

/** The operator, the StatefulSet controller and a scheduler with room, until nobody has anything to do. */
function run(start: Observed): { groups: readonly Group[]; steps: Step[]; fewestServing: number } {
  let { groups } = start;
  let born = 0;
  let fewestServing = groups.length;
  const steps: Step[] = [];
  const serving = (): number => groups.filter(serves).length;

  function write(step: Step): void {
    steps.push(step);
    groups = groups.map((group) => {
      const isPod = "name" in step && step.name.startsWith(`${group.statefulSet.metadata.name}-`);
      if (step.do === "patch" && step.name === group.statefulSet.metadata.name)
        return annotated(group, step.patch);
      if (!isPod) return group;
      const pods = group.pods.map((each, rank) => {
        if (step.name !== `pro-${group.id}-${rank}`) return each;
        const gated = step.do === "delete" && group.ranks > 1;
        const uid = step.do === "delete" ? `new-${born++}` : (each?.metadata.uid ?? "");
        const made = pod(rank, { uid, gated, ready: !gated, revision: group.revision });
        return { ...made, metadata: { ...made.metadata, name: step.name } };
      });
      return { ...group, pods };
    });
  }

  for (let round = 0; round < 100; round++) {
    const due = decide({ ...start, groups }).stages.flat();
    if (due.length === 0) return { groups, steps, fewestServing };
    for (const step of due) write(step);
    fewestServing = Math.min(fewestServing, serving());
  }
  throw new Error(
    `no end: ${steps
      .slice(-5)
      .map(({ reason }) => reason)
      .join("; ")}`,
  );
}

function annotated(group: Group, patch: readonly object[]): Group {
  const marks = { ...group.statefulSet.metadata.annotations };
  for (const change of patch)
    if ("path" in change && "value" in change && String(change.path).startsWith("/metadata/annotations/"))
      marks[String(change.path).slice("/metadata/annotations/".length).replace("~1", "/")] = String(
        change.value,
      );
  const { metadata } = group.statefulSet;
  return {
    ...group,
    statefulSet: stored(
      { ...group.statefulSet, metadata: { ...metadata, annotations: marks } },
      metadata.uid,
    ),
    formation: formationRecord.safeParse(parse(marks[annotations.formation])).data,
    recovery:
      recoveryRecord.safeParse(parse(marks[annotations.recovery])).data ?? cleanRecovery(group.revision),
    restart: restartRecord.safeParse(parse(marks[annotations.restarted])).data,
  };
}

/** Three groups that serve, and a person's wish. */
function serving(spec: object & { rollout?: object }, wishes: Record<string, string>): Observed {
  const revision = revisionOf(spec);
  const groups = [0, 1, 2].map((id) => {
    const pods = Array.from({ length: revision.plan.nodes }, (_, rank) => ({
      uid: `old-${id}-${rank}`,
      ready: true,
    }));
    const group = groupOn(revision, id, pods);
    const named = group.pods.map((each, rank) =>
      each === undefined ? undefined : { ...each, metadata: { ...each.metadata, name: `pro-${id}-${rank}` } },
    );
    const members = Object.fromEntries(pods.map(({ uid }, rank) => [`pro-${id}-${rank}`, uid]));
    const formation = { id: 1, port: 20_000, revision: revision.hash, pods: members };
    const value = JSON.stringify(formation);
    const path = "/metadata/annotations/mimo.dev~1formation";
    const formed = revision.plan.nodes === 1 ? group : annotated(group, [{ op: "add", path, value }]);
    return { ...formed, pods: named };
  });
  return observed({ spec, revisions: [revision], groups, annotations: wishes });
}

const uidsOf = (groups: readonly Group[]): string[] =>
  groups.flatMap(({ pods }) => pods.map((each) => each?.metadata.uid ?? ""));
const wish = { [annotations.restart]: "2026-11-22T12:00:00Z" };

describe.each([
  ["one node", oneNode],
  ["two nodes", twoNodes],
])("a restart of groups of %s", (_, spec) => {
  test("replaces every pod once, a group at a time, and counts as no loss", () => {
    const { groups, steps, fewestServing } = run(serving(spec, wish));
    const uids = uidsOf(groups);
    expect(uids.filter((uid) => uid.startsWith("old"))).toEqual([]);
    const deleted = steps.filter((step) => step.do === "delete");
    expect(deleted.length).toBe(uids.length);
    expect(fewestServing).toBe(2);
    expect(groups.map(({ recovery }) => recovery.failures)).toEqual([[], [], []]);
    expect(steps.filter(({ event }) => event !== undefined).map(({ event }) => event)).toEqual(
      Array.from({ length: 3 }, () => "GroupRestarting"),
    );
  });

  test("waits while the rollout is paused", () => {
    expect(run(serving({ ...spec, rollout: { paused: true } }, wish)).steps).toEqual([]);
  });

  test("is done: the same wish asks for nothing more, and a new revision takes it along", () => {
    const start = serving(spec, wish);
    const { groups } = run(start);
    expect(decide({ ...start, groups }).stages.flat()).toEqual([]);
    const other = revisionOf({ ...spec, profile: "Latency", resources: { cpu: 7 } }, 2);
    const moved = groups.map((group) => ({ ...group, revision: other.hash }));
    expect(decide({ ...start, revisions: [other], groups: moved }).toRestart).toBe(0);
  });
});

test("a group made after the wish is born with it", () => {
  const start = serving(oneNode, wish);
  const [created] = decide({ ...start, groups: run(start).groups.slice(0, 2) }).stages.flat();
  expect(created).toMatchObject({ do: "create" });
  const marks = created?.do === "create" ? created.object.metadata.annotations : {};
  expect(parse(marks?.[annotations.restarted])).toEqual({ wish: wish[annotations.restart], pods: [] });
});

test("a group that was given up tries again, once", () => {
  const start = serving(twoNodes, wish);
  const groups = start.groups.map((group) => {
    const gaveUp = { ...cleanRecovery(group.revision), broken: 1, gaveUp: "rebuilt 5 times" };
    const pods = group.pods.map((_, rank) => {
      const waiting = pod(rank, { uid: `gated-${group.id}-${rank}`, gated: true, revision: group.revision });
      return { ...waiting, metadata: { ...waiting.metadata, name: `pro-${group.id}-${rank}` } };
    });
    const value = JSON.stringify(gaveUp);
    return {
      ...annotated(group, [{ op: "add", path: "/metadata/annotations/mimo.dev~1recovery", value }]),
      pods,
    };
  });
  expect(groups[0]?.pods[0]?.spec.schedulingGates).toEqual([{ name: schedulingGate }]);
  const after = run({ ...start, groups });
  expect(after.groups.every(serves)).toBe(true);
  expect(after.steps.filter((step) => step.do === "delete")).toEqual([]);
});
